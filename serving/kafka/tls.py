"""The files of certificates and keys for TLS to Kafka. They are read again when they have changed.

Each fault of a file is found before a connection is made, and named by its setting.
"""

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509

from schemas.settings import KafkaSettings
from serving.kafka.words import OTHER_CERTIFICATE, UnusableFile

SETTINGS = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """Return the TLS context; None for a protocol without TLS.

    Certificates are renewed while the process runs, so a file that has changed is read again. Raises UnusableFile.
    """
    if not kafka.security_protocol.endswith("SSL"):
        return None
    files: list[str | None] = [getattr(kafka, name) for name in SETTINGS]
    changed = tuple(_changed_nanos(f"kafka.{name}", file) for name, file in zip(SETTINGS, files, strict=True))
    password = kafka.ssl_key_password.get_secret_value() if kafka.ssl_key_password else ""
    return _context(*files, password, changed)


def _changed_nanos(setting: str, file: str | None) -> int:
    if file is None:
        return 0
    try:
        with Path(file).open("rb") as opened:
            return os.fstat(opened.fileno()).st_mtime_ns
    except OSError as error:
        raise UnusableFile(f"{setting}: {file}: {(error.strerror or 'not readable').lower()}") from error


@lru_cache(maxsize=4)  # reading the system's authorities takes 20 ms, and a process connects every other second
def _context(
    cafile: str | None, certfile: str | None, keyfile: str | None, password: str, _changed: tuple[int, ...]
) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=cafile)
    except (OSError, ValueError) as error:
        raise UnusableFile(f"kafka.ssl_cafile: {cafile}: no certificate in PEM format") from error
    if certfile:
        _load_pair(context, certfile, keyfile or certfile, password)
    return context


def _load_pair(context: ssl.SSLContext, certfile: str, keyfile: str, password: str) -> None:
    asked = _Asked(password)
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certfile, keyfile, asked)
    except (OSError, ValueError) as error:
        raise UnusableFile(_pair_problem(certfile, keyfile, error, asked)) from error


class _Asked:
    """Gives OpenSSL the password of the key, and notes that it was asked: the key is encrypted."""

    def __init__(self, password: str) -> None:
        self._password = password
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return self._password

    @property
    def in_vain(self) -> bool:
        return self.count > 0 and not self._password


def _pair_problem(certfile: str, keyfile: str, error: Exception, asked: _Asked) -> str:
    if _certificate(certfile) is None:
        return f"kafka.ssl_certfile: {certfile}: no certificate in PEM format"
    if asked.in_vain:
        return f"kafka.ssl_key_password: required, because the key in {keyfile} is encrypted"
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return f"kafka.ssl_keyfile: the key in {keyfile} does not belong to the certificate in {certfile}"
    if asked.count:
        return f"kafka.ssl_key_password: wrong password for the key in {keyfile}"
    return f"kafka.ssl_keyfile: {keyfile}: no key in PEM format"


def _certificate(certfile: str) -> x509.Certificate | None:
    """The first certificate of a file, which is the client's own."""
    try:
        return x509.load_pem_x509_certificate(Path(certfile).read_bytes())
    except (OSError, ValueError):
        return None


def client_subject(kafka: KafkaSettings) -> str | None:
    """The subject of the client's certificate, as Kafka writes it."""
    found = _certificate(kafka.ssl_certfile) if kafka.ssl_certfile else None
    return found.subject.rfc4514_string() if found else None


def client_certificate_problem(kafka: KafkaSettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """Why a broker that requires a client certificate refuses this client's, as far as the file shows it."""
    if not kafka.ssl_certfile:
        return "Kafka requires a client certificate: set kafka.ssl_certfile and kafka.ssl_keyfile"
    file = f"{kafka.ssl_certfile} (kafka.ssl_certfile)"
    if (found := _certificate(kafka.ssl_certfile)) is None:
        return OTHER_CERTIFICATE
    if found.not_valid_after_utc < now():
        return f"the client's certificate has expired at {found.not_valid_after_utc:%Y-%m-%dT%H:%MZ}: renew {file}"
    if found.not_valid_before_utc > now():
        return f"the client's certificate is not valid yet: compare the clocks, and see {file}"
    return f"Kafka does not trust the client's certificate: one of the broker's authorities must sign {file}"
