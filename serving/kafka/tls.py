"""The files of certificates and keys for TLS to Kafka. They are read again when they have changed.

Each fault of a file is found before a connection is made, and named by its setting.
"""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from schemas.settings import KafkaSettings
from serving.kafka.words import OTHER_CERTIFICATE, UnusableFile
from serving.outgoing.pem import SettingNames, UnusablePem, certificate_in, load_pair, state_of

SETTINGS = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
PAIR = SettingNames("kafka.ssl_certfile", "kafka.ssl_keyfile", "kafka.ssl_key_password")


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """Return the TLS context; None for a protocol without TLS.

    Certificates are renewed while the process runs, so a file that has changed is read again. Raises UnusableFile.
    """
    if not kafka.security_protocol.endswith("SSL"):
        return None
    files: list[str | None] = [getattr(kafka, name) for name in SETTINGS]
    states = tuple(_state_of(f"kafka.{name}", file) for name, file in zip(SETTINGS, files, strict=True))
    password = kafka.ssl_key_password.get_secret_value() if kafka.ssl_key_password else ""
    return _context(*files, password, states)


def _state_of(setting: str, file: str | None) -> object:
    if file is None:
        return None
    try:
        return state_of(file)
    except UnusablePem as error:
        raise UnusableFile(f"{setting}: {error}") from None


@lru_cache(maxsize=4)  # reading the system's authorities takes 20 ms, and a process connects every other second
def _context(
    cafile: str | None, certfile: str | None, keyfile: str | None, password: str, _states: tuple[object, ...]
) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=cafile)
        if certfile:
            load_pair(context, certfile, keyfile or certfile, password, PAIR)
    except (OSError, ValueError) as error:
        raise UnusableFile(f"kafka.ssl_cafile: {cafile}: no certificate in PEM format") from error
    except UnusablePem as error:
        raise UnusableFile(str(error)) from error
    return context


def client_subject(kafka: KafkaSettings) -> str | None:
    """The subject of the client's certificate, as Kafka writes it."""
    found = certificate_in(kafka.ssl_certfile) if kafka.ssl_certfile else None
    return found.subject.rfc4514_string() if found else None


def client_certificate_problem(kafka: KafkaSettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """Why a broker that requires a client certificate refuses this client's, as far as the file shows it."""
    if not kafka.ssl_certfile:
        return "Kafka requires a client certificate: set kafka.ssl_certfile and kafka.ssl_keyfile"
    file = f"{kafka.ssl_certfile} (kafka.ssl_certfile)"
    if (found := certificate_in(kafka.ssl_certfile)) is None:
        return OTHER_CERTIFICATE
    if found.not_valid_after_utc < now():
        return f"the client's certificate has expired at {found.not_valid_after_utc:%Y-%m-%dT%H:%MZ}: renew {file}"
    if found.not_valid_before_utc > now():
        return f"the client's certificate is not valid yet: compare the clocks, and see {file}"
    return f"Kafka does not trust the client's certificate: one of the broker's authorities must sign {file}"
