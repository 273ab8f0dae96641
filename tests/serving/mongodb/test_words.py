"""Errors of MongoDB's client and server in plain words."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from bson.errors import InvalidDocument
from pymongo import errors

from serving.mongodb.client import why
from serving.mongodb.words import _CODES, _KINDS, MAX_CHARACTERS, _of_kind

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
         "the server refused the operation with code 4711 (SomethingNew)"),
        (errors.ConfigurationError("Sessions are not supported by this MongoDB deployment"),
         "no server that supports sessions answers"),
        (InvalidDocument("cannot encode object"), "a document can't be stored: it does not fit BSON"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (TimeoutError(), "no answer in time"),
        (RuntimeError("boom"), "an unexpected failure"),
    ],
)  # fmt: skip
def test_words(error: BaseException, words: str) -> None:
    assert words == why(error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)",
         "TLS: the server's certificate is not accepted"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca",
         "TLS: the server does not accept the client's certificate"),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] sslv3 alert bad certificate",
         "TLS: the server does not accept the client's certificate"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required",
         "TLS: the server asks for a client's certificate"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "the server does not speak TLS"),
        ("[SSL: RECORD_LAYER_FAILURE] x", "the server does not speak TLS"),
        ("[SSL] record layer failure", "the server does not speak TLS"),
        ("[SSL: NO_SHARED_CIPHER] no shared cipher", "TLS failed"),
        ("the TLS handshake ended", "TLS failed"),
        ("[Errno 111] Connection refused", "connection refused"),
        ("[Errno -2] Name or service not known", "no such host name"),
        ("[Errno 8] nodename nor servname provided", "no such host name"),
        ("[Errno 11001] getaddrinfo failed", "no such host name"),
        ("[Errno -5] No address associated with hostname", "no such host name"),
        ("[Errno -3] Temporary failure in name resolution", "no such host name"),
        ("The DNS query name does not exist: _mongodb._tcp.x.", "no such host name"),
        ("The DNS response does not contain an answer", "the SRV record can't be read"),
        ("only one SRV is allowed", "the SRV record can't be read"),
        ("a TXT record is wrong", "the SRV record can't be read"),
        ("timed out", "no answer in time"),
        ("operation would exceed time limit, timeout exceeded", "no answer in time"),
        ("the deadline is over", "no answer in time"),
        ("[Errno 113] No route to host", "no route to the server"),
        ("[Errno 101] Network is unreachable", "no route to the server"),
        ("[Errno 104] Connection reset by peer", "the connection was closed"),
        ("[Errno 32] Broken pipe", "the connection was closed"),
        ("operation cancelled", "the connection was closed"),
        ("connection pool was cleared", "the connection was closed"),
        ("connection pool for it", "the connection was closed"),
        ("it is paused", "the connection was closed"),
        ("No primary available for writes", "the replica set has no primary"),
        ("no server matches selector <Primary()>", "the replica set has no primary"),
        ("No replica set members match it", "the replica set has no primary"),
        ("No replica set members found yet",
         "no member of the replica set can be reached by its name in rs.conf()"),
        ("No replica set members available for replica set name rs0",
         "no member of the replica set can be reached by its name in rs.conf()"),
        ("Could not reach any servers. Replica set is configured with internal hostnames or IPs?",
         "no member of the replica set can be reached by its name in rs.conf()"),
    ],
)  # fmt: skip
def test_a_cause_is_known_by_what_the_client_says(text: str, words: str) -> None:
    """Of a server too, which is named then."""
    assert words == why(errors.AutoReconnect(text))
    assert f"h:1: {words}" == why(errors.AutoReconnect(f"h:1: {text}"))


def test_no_error_but_the_most_general_ones_has_the_most_general_words() -> None:
    general = {kind.__name__ for kind in KINDS if "the client failed" == why(made(kind, ""))}
    assert {"PyMongoError", "ConfigurationError"} & general == {"PyMongoError"}
    for kind, words in _KINDS:
        if issubclass(kind, errors.PyMongoError) and not issubclass(kind, errors.EncryptionError):
            assert words == _of_kind(made(kind, "")), "the most special first"


def test_words_have_an_end() -> None:
    """However many servers a URI names."""
    many = ",".join(f"h-{number}.example:1: [Errno 111] Connection refused" for number in range(100))
    assert MAX_CHARACTERS == len(why(errors.ServerSelectionTimeoutError(many)))
