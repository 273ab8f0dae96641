"""Errors of Kafka's client in plain words."""

import errno
import re
import socket
import ssl
from collections.abc import Iterator

import pytest
from aiokafka import errors

from serving.kafka.client import UnusableFile, why
from serving.kafka.rights import Denials
from serving.kafka.words import MAX_CHARACTERS, NotReached

NO_ACL = "Kafka does not allow the topic to this user (an ACL is missing)"


@pytest.fixture(autouse=True)
def _nothing_was_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test of this process may have been denied a right a moment ago."""
    monkeypatch.setattr("serving.kafka.words.DENIALS", Denials())


def kinds(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    """Those of the client; ours say what they were made with."""
    for one in (one for one in kind.__subclasses__() if one.__module__.startswith("aiokafka")):
        yield one
        yield from kinds(one)


@pytest.mark.parametrize("kind", [errors.KafkaError, *kinds(errors.KafkaError)], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("arguments", [(), ("[Error 7] KafkaError: <object at 0x7f>",), (object(),)])
def test_every_error_has_words_without_a_class_name(kind: type[BaseException], arguments: tuple[object, ...]) -> None:
    words = why(kind(*arguments))
    assert words
    assert kind.__name__ not in words
    if not words.startswith("Kafka refused the request: "):  # a broker's own words
        assert not re.search(r"\w(Error|Exception)\b|<|object at|\[", words), words


def test_what_broke_a_connection_says_more_than_that_it_broke() -> None:
    broken = errors.KafkaConnectionError("Connection at 127.0.0.1:9092 closed")
    assert "127.0.0.1:9092" in why(broken)
    broken.__cause__ = errors.SaslAuthenticationFailed("Authentication failed")
    assert why(broken) == "Kafka refused the user: wrong password or mechanism"


def certificate(code: int, message: str = "x") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_code, error.verify_message = code, message
    return error


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL]")
    error.reason = reason
    return error


class Special(errors.NotLeaderForPartitionError):  # type: ignore[misc]  # aiokafka has no types
    """One that a later version of the client has."""


NO_TLS = "the port does not speak TLS: check kafka.security_protocol"
OTHER_CERTIFICATE = "Kafka requires another client certificate: check kafka.ssl_certfile and kafka.ssl_keyfile"
NAMES = "use one of its names in kafka.bootstrap_servers and in the brokers' advertised.listeners"
CLOSED = "the connection was closed by the other side"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (certificate(9), "Kafka's certificate is not valid yet: compare the clocks"),
        (certificate(10), "Kafka's certificate has expired: renew it on the broker"),
        *((certificate(code), "Kafka's certificate is not trusted by kafka.ssl_cafile") for code in (18, 19, 20, 21)),
        (certificate(62), f"Kafka's certificate has other host names: {NAMES}"),
        (certificate(64), f"Kafka's certificate has other IP addresses: {NAMES}"),
        (certificate(23, "certificate revoked"), "Kafka's certificate is rejected: certificate revoked"),
        (tls("TLSV1_ALERT_UNKNOWN_CA"), OTHER_CERTIFICATE),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), OTHER_CERTIFICATE),
        (tls("WRONG_VERSION_NUMBER"), NO_TLS),
        (tls("HTTP_REQUEST"), NO_TLS),
        (tls("RECORD_LAYER_FAILURE"), NO_TLS),
        (tls("NO_SHARED_CIPHER"), "TLS failed: no shared cipher"),
        (OSError("connect failed: errno=111"), "connection refused"),
        (OSError("x"), CLOSED),
        *((OSError(number, "x"), CLOSED) for number in (errno.ECONNABORTED, errno.EPIPE)),
        (OSError(errno.ETIMEDOUT, "x"), "no answer in time"),
        *((OSError(number, "x"), "no route to the host") for number in (errno.EHOSTUNREACH, errno.ENETUNREACH)),
        (OSError(errno.EADDRNOTAVAIL, "x"), "cannot assign requested address"),
        (Special(), "the partition's leader has moved to another broker"),
        (errors.UnknownError(), "Kafka answered: unknown (code -1)"),
        (errors.TopicAuthorizationFailedError("a topic <b>"), NO_ACL),
        (errors.KafkaError(), "the client reports: kafka error"),
        (NotReached(), "no broker could be reached"),
        (NotReached("a:1: no answer in 5 s"), "a:1: no answer in 5 s"),
    ],
)
def test_each_cause_has_words_of_its_own(error: BaseException, words: str) -> None:
    assert words == why(error)


def test_words_have_an_end_and_causes_no_ring() -> None:
    """A broker's own message may be long, and an error may be its own cause's cause."""
    assert MAX_CHARACTERS == len(why(errors.PolicyViolationError("x" * 10_000)))
    first, second = OSError("x"), errors.KafkaConnectionError("Connection at a:1 closed")
    first.__cause__, second.__cause__ = second, first
    assert CLOSED == why(second)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111]"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "host name not found"),
        (TimeoutError(), "no answer in time"),
        (EOFError(), "the connection was closed by the other side"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "the connection was closed by the other side"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), "the connection was closed during the TLS handshake"),
        (UnusableFile("kafka.ssl_cafile: /x: no such file"), "kafka.ssl_cafile: /x: no such file"),
        (errors.TopicAuthorizationFailedError("games"), f"{NO_ACL}: games"),
        (errors.PolicyViolationError("Replicas must be 3."), "Kafka refused the request: Replicas must be 3"),
        (RuntimeError("boom"), "an unexpected failure"),
    ],
)  # fmt: skip
def test_words(error: BaseException, words: str) -> None:
    assert words == why(error)
