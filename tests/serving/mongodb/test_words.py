"""Errors of MongoDB's client and server in plain words."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from bson.errors import InvalidDocument
from pymongo import errors

from serving.mongodb.client import why
from serving.mongodb.words import _CODES

TOPOLOGY = (
    "127.0.0.1:1: [Errno 111] Connect call failed ('127.0.0.1', 1) (configured timeouts: socketTimeoutMS: 20000.0ms, "
    "connectTimeoutMS: 20000.0ms),db-2.example:2: [Errno -2] Name or service not known (configured timeouts: "
    "connectTimeoutMS: 20000.0ms), Timeout: 0.5s, Topology Description: <TopologyDescription id: 6b0ab5e7f3949fa17e4f94"
    "94, topology_type: ReplicaSetNoPrimary, servers: [<ServerDescription ('127.0.0.1', 1) server_type: Unknown, rtt: N"
    'one, error=AutoReconnect("127.0.0.1:1: [Errno 111] Connect call failed")>]>'
)
DOCUMENT = {"_id": "game/alice", "password": "hunter2"}
TEXTS = ("", TOPOLOGY, f"Plan executor error :: caused by :: {DOCUMENT} OperationFailure(x) <object at 0x7f>", "boom")


def kinds(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for one in kind.__subclasses__():
        yield one
        yield from kinds(one)


KINDS: list[type[BaseException]] = list(dict.fromkeys([errors.PyMongoError, *kinds(errors.PyMongoError)]))
NAMES = {kind.__name__ for kind in KINDS}


def made(kind: type[BaseException], text: str) -> BaseException:
    details: Any = {"errmsg": text, "writeErrors": [{"code": 11000, "errmsg": text, "op": DOCUMENT}]}
    if issubclass(kind, errors.BulkWriteError):
        return kind(details)
    if issubclass(kind, errors.ClientBulkWriteException):
        return kind(details, verbose=False)
    if issubclass(kind, errors.EncryptedCollectionError):
        return kind(ValueError(text), {})
    return kind(ValueError(text)) if issubclass(kind, errors.EncryptionError) else kind(text)


def assert_plain(words: str) -> None:
    assert words
    assert not re.search(r"[<>{}\n]|object at|Topology|configured timeouts|Errno|Error\b|Exception\b", words), words
    assert not re.search("|".join(NAMES), words), words
    assert "hunter2" not in words
    assert "alice" not in words


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("text", TEXTS)
def test_every_error_of_the_client_has_plain_words(kind: type[BaseException], text: str) -> None:
    assert_plain(why(made(kind, text)))


@pytest.mark.parametrize("code", [*_CODES, 12345])
def test_every_code_of_the_server_has_plain_words(code: int) -> None:
    for name in ("NotAuthorizedHere", "", "<a b>"):
        details = {"codeName": name, "errmsg": f"boom {DOCUMENT}", "code": code}
        assert_plain(why(errors.OperationFailure(f"boom {DOCUMENT}, full error: {details}", code, details)))
        assert_plain(why(errors.BulkWriteError({"writeErrors": [{"code": code, "errmsg": str(DOCUMENT)}]})))
        assert_plain(why(errors.NotPrimaryError(f"boom {DOCUMENT}", details)))


def refused(code: int, text: str) -> errors.OperationFailure:
    return errors.OperationFailure(text, code, {"code": code, "errmsg": text})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.ServerSelectionTimeoutError(TOPOLOGY),
         "127.0.0.1:1: connection refused; db-2.example:2: no such host name"),
        (errors.ServerSelectionTimeoutError('No replica set members match selector "Primary()", Timeout: 5s, Topology'),
         "the replica set has no primary"),
        (errors.NetworkTimeout("127.0.0.1:5: timed out (configured timeouts: connectTimeoutMS: 5000.0ms)"),
         "127.0.0.1:5: no answer in time"),
        (errors.AutoReconnect("SSL handshake failed: h:1: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
                              "self-signed certificate in certificate chain (_ssl.c:1006)"),
         "h:1: TLS: the server's certificate is not accepted: self-signed certificate in certificate chain"),
        (errors.AutoReconnect("SSL handshake failed: h:1: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
                              "Hostname mismatch, certificate is not valid for 'h'. (_ssl.c:1006)"),
         "h:1: TLS: the server's certificate is not accepted: Hostname mismatch, certificate is not valid for 'h'"),
        (errors.AutoReconnect("h:1: connection closed"), "h:1: the connection was closed"),
        (refused(18, "Authentication failed."), "authentication failed: wrong user, password or authSource"),
        (refused(13, 'not authorized on game to execute command { find: "players", filter: { _id: "alice" } }'),
         "not authorized: the user may not run find on game.players"),
        (refused(13, "not authorized on admin to execute command { killSessions: [ { id: UUID(1) } ] }"),
         "not authorized: the user may not run killSessions on admin"),
        (errors.OperationFailure("x", 4711, {"codeName": "SomethingNew"}),
         "the server refuses it with code 4711 (SomethingNew)"),
        (errors.ConfigurationError("Sessions are not supported by this MongoDB deployment"),
         "no server that knows sessions answers"),
        (InvalidDocument("cannot encode object"), "a document can't be stored: it does not fit BSON"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (TimeoutError(), "no answer in time"),
        (RuntimeError("boom"), "an unexpected failure"),
    ],
)  # fmt: skip
def test_words(error: BaseException, words: str) -> None:
    assert words == why(error)
