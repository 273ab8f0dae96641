"""Errors of Kafka's client in plain words."""

import errno
import re
import socket
import ssl
from collections.abc import Iterator

import pytest
from aiokafka import errors

from serving.kafka.client import UnusableFile, why

NO_ACL = "Kafka does not allow the topic to this user (an ACL is missing)"


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
    if not words.startswith("Kafka refuses it: "):  # a broker's own words
        assert not re.search(r"\w(Error|Exception)\b|<|object at|\[", words), words


def test_what_broke_a_connection_says_more_than_that_it_broke() -> None:
    broken = errors.KafkaConnectionError("Connection at 127.0.0.1:9092 closed")
    assert "127.0.0.1:9092" in why(broken)
    broken.__cause__ = errors.SaslAuthenticationFailed("Authentication failed")
    assert why(broken) == "Kafka refused the user: wrong password or mechanism"


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
        (errors.PolicyViolationError("Replicas must be 3."), "Kafka refuses it: Replicas must be 3"),
        (RuntimeError("boom"), "an unexpected failure"),
    ],
)  # fmt: skip
def test_words(error: BaseException, words: str) -> None:
    assert words == why(error)
