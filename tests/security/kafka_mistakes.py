"""What may be wrong with a connection to Kafka, one mistake each, and the words that name it."""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Final, Literal

from ops.local.servers.ports import any_free
from tests.security.kafka_servers import Listener, SecureKafka

WRONG_PASSWORD: Final = "a wrong password of Kafka"

Changed = Callable[[SecureKafka], Mapping[str, Any]]
Mode = Literal["give", "refuse", "fail", "hang", "rubbish", "expired"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """`changed`: other settings than those that are right. `words`: what says it. `mode`: of the token endpoint."""

    listener: Listener
    words: str
    changed: Changed = lambda _: {}
    mode: Mode = "give"


def _file(kafka: SecureKafka, name: str, content: str | None) -> str:
    path = kafka.folder / name
    if content is None:
        path.mkdir(exist_ok=True)  # root may read every file, but no folder
    else:
        path.write_text(content)
    return str(path)


def _pair(kafka: SecureKafka, name: str, *, strange: bool = False, days: int = 1) -> Mapping[str, Any]:
    authority = kafka.strange if strange else kafka.authority
    made = authority.issue(name, valid=timedelta(days=days))
    return {"ssl_certfile": str(made.certfile), "ssl_keyfile": str(made.keyfile), "ssl_key_password": None}


def _other_key(kafka: SecureKafka) -> Mapping[str, Any]:
    return {"ssl_keyfile": _pair(kafka, "other")["ssl_keyfile"], "ssl_key_password": None}


def _at(listener: str, host: str = "127.0.0.1") -> Changed:
    return lambda kafka: {"bootstrap_servers": kafka.broker.address(listener).replace("127.0.0.1", host)}


def _is(**settings: Any) -> Changed:  # noqa: ANN401 values of settings
    return lambda _: settings


def _made(setting: str, name: str, content: str | None) -> Changed:
    return lambda kafka: {setting: _file(kafka, name, content)}


_PASSWORD = "Kafka refused user {}: wrong password, or no such user for {}"
_CLIENT = "is refused: check kafka.oauth_client_id and kafka.oauth_client_secret"

MISTAKES: Final[Mapping[str, Mistake]] = {
    "wrong password (SCRAM)": Mistake(
        "SCRAM", _PASSWORD.format("admin", "SCRAM-SHA-512"), _is(sasl_password=WRONG_PASSWORD)
    ),
    "wrong password (PLAIN)": Mistake("PLAIN", _PASSWORD.format("admin", "PLAIN"), _is(sasl_password=WRONG_PASSWORD)),
    "unknown user": Mistake("SCRAM", _PASSWORD.format("stranger", "SCRAM-SHA-512"), _is(sasl_username="stranger")),
    "wrong mechanism": Mistake(
        "SCRAM", "Kafka does not offer PLAIN at this port, but SCRAM-SHA-", _is(sasl_mechanism="PLAIN")
    ),
    "no user": Mistake(
        "SCRAM",
        "the port requires a user and password: check kafka.security_protocol and kafka.sasl_username",
        _is(security_protocol="SSL", sasl_mechanism=None, sasl_username=None, sasl_password=None),
    ),
    "a user where none is wanted": Mistake(
        "MUTUAL",
        "the port does not accept a user and password: check kafka.security_protocol",
        _is(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_username="me", sasl_password=WRONG_PASSWORD),
    ),
    "wrong authority": Mistake(
        "SCRAM",
        "Kafka's certificate is not trusted by kafka.ssl_cafile",
        lambda kafka: {"ssl_cafile": str(kafka.strange.cafile)},
    ),
    "wrong host name": Mistake("SCRAM", "Kafka's certificate has other host names: ", _at("SCRAM", "localhost")),
    "no TLS to a port with TLS": Mistake(
        "SCRAM",
        "the port speaks TLS: check kafka.security_protocol",
        _is(security_protocol="PLAINTEXT", sasl_mechanism=None, sasl_username=None, sasl_password=None),
    ),
    "TLS to a port without": Mistake(
        "SCRAM", "the port does not speak TLS: check kafka.security_protocol", _at("INSIDE")
    ),
    "no certificate": Mistake(
        "MUTUAL",
        "Kafka requires a client certificate: set kafka.ssl_certfile and kafka.ssl_keyfile",
        _is(ssl_certfile=None, ssl_keyfile=None, ssl_key_password=None),
    ),
    "expired certificate": Mistake(
        "MUTUAL", "the client's certificate has expired at ", lambda kafka: _pair(kafka, "expired", days=-1)
    ),
    "strange certificate": Mistake(
        "MUTUAL",
        "Kafka does not trust the client's certificate: ",
        lambda kafka: _pair(kafka, "strange", strange=True),
    ),
    "no password for the key": Mistake(
        "MUTUAL", "kafka.ssl_key_password: required, because the key in ", _is(ssl_key_password=None)
    ),
    "wrong password for the key": Mistake(
        "MUTUAL", "kafka.ssl_key_password: wrong password for the key in ", _is(ssl_key_password=WRONG_PASSWORD)
    ),
    "key of another certificate": Mistake("MUTUAL", "kafka.ssl_keyfile: the key in ", _other_key),
    "no authority's file": Mistake(
        "SCRAM", "kafka.ssl_cafile: there is no file /no/ca.pem", _is(ssl_cafile="/no/ca.pem")
    ),
    "no certificate's file": Mistake(
        "MUTUAL", "kafka.ssl_certfile: there is no file /no/cert.pem", _is(ssl_certfile="/no/cert.pem")
    ),
    "no key's file": Mistake(
        "MUTUAL", "kafka.ssl_keyfile: there is no file /no/key.pem", _is(ssl_keyfile="/no/key.pem")
    ),
    "a folder as the key": Mistake(
        "MUTUAL", "/folder.pem is a folder, not a file", _made("ssl_keyfile", "folder.pem", None)
    ),
    "no authority in the file": Mistake(
        "SCRAM", "/text.pem: no certificate in PEM format", _made("ssl_cafile", "text.pem", "no PEM")
    ),
    "no key in the file": Mistake(
        "MUTUAL", "/text.pem: no key in PEM format", _made("ssl_keyfile", "text.pem", "no PEM")
    ),
    "token server down": Mistake(
        "OAUTH",
        "(kafka.oauth_token_url): not connected: connection refused",
        lambda _: {"oauth_token_url": f"http://127.0.0.1:{any_free()}/token"},
    ),
    "token server fails": Mistake("OAUTH", "(kafka.oauth_token_url): HTTP 503", mode="fail"),
    "token server refuses": Mistake("OAUTH", f"client admin {_CLIENT}", mode="refuse"),
    "token server answers rubbish": Mistake(
        "OAUTH", "(kafka.oauth_token_url): the answer is not that of a token endpoint", mode="rubbish"
    ),
    "token server hangs": Mistake("OAUTH", "(kafka.oauth_token_url): no answer in ", mode="hang"),
    "wrong secret": Mistake("OAUTH", f"client admin {_CLIENT}", _is(oauth_client_secret=WRONG_PASSWORD)),
    "unknown client": Mistake("OAUTH", f"client stranger {_CLIENT}", _is(oauth_client_id="stranger")),
    "expired token": Mistake("OAUTH", "Kafka refused the token of client admin: ", mode="expired"),
}

EXPIRED_SERVER: Final = "Kafka's certificate has expired: renew it on the broker"


def settings_with(kafka: SecureKafka, mistake: Mistake) -> dict[str, Any]:
    """`[kafka]` of a user with all rights, but for the mistake."""
    found = {**kafka.settings(mistake.listener, "admin"), **mistake.changed(kafka)}
    return {name: value for name, value in found.items() if value is not None}


@contextmanager
def made(kafka: SecureKafka, mistake: Mistake) -> Iterator[dict[str, Any]]:
    """The settings, while the token endpoint answers as it must for the mistake."""
    lifetime = kafka.tokens.lifetime_seconds
    try:
        if mistake.mode == "expired":
            kafka.tokens.lifetime_seconds = -60
        else:
            kafka.tokens.mode = mistake.mode
        yield settings_with(kafka, mistake)
    finally:
        kafka.tokens.mode, kafka.tokens.lifetime_seconds = "give", lifetime


@contextmanager
def expired_server(certfile: Path, keyfile: Path) -> Iterator[str]:
    """The address of a server whose certificate has expired. The handshake ends before any protocol begins."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certfile, keyfile)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    accepted, _ = listening.accept()
                    with suppress(OSError), context.wrap_socket(accepted, server_side=True):
                        pass

        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()
