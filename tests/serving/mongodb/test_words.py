"""Errors of MongoDB's client and server in plain words."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from bson.errors import InvalidDocument
from pymongo import errors

from serving.mongodb.client import why
from serving.mongodb.words import _CODES, _KINDS, MAX_CHARACTERS, NO_TLS, _of_kind, is_lost

TOPOLOGY = (
    "127.0.0.1:1: [Errno 111] Connect call failed ('127.0.0.1', 1) (configured timeouts: socketTimeoutMS: 20000.0ms, "
    "connectTimeoutMS: 20000.0ms),db-2.example:2: [Errno -2] Name or service not known (configured timeouts: "
    "connectTimeoutMS: 20000.0ms), Timeout: 0.5s, Topology Description: <TopologyDescription id: 6b0ab5e7f3949fa17e4f94"
    "94, topology_type: ReplicaSetNoPrimary, servers: [<ServerDescription ('127.0.0.1', 1) server_type: Unknown, rtt: N"
    'one, error=AutoReconnect("127.0.0.1:1: [Errno 111] Connect call failed")>]>'
)
STRANGE_CA = "TLS: the server's certificate is not signed by an authority of tlsCAFile in mongodb.uri"
OWN_CERTIFICATE = "the client's certificate (tlsCertificateKeyFile in mongodb.uri)"
REJECTED = "authentication failed: wrong user, password or authSource in mongodb.uri"
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


def test_a_client_whose_connections_are_all_in_use_has_not_lost_mongodb() -> None:
    """It is busy. A connection that broke is an outage."""
    assert not is_lost(errors.WaitQueueTimeoutError("all in use"))
    assert is_lost(errors.AutoReconnect("h:1: connection closed"))


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
                              "self-signed certificate in certificate chain (_ssl.c:1006)"), f"h:1: {STRANGE_CA}"),
        (errors.AutoReconnect("SSL handshake failed: h:1: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
                              "Hostname mismatch, certificate is not valid for 'h'. (_ssl.c:1006)"),
         "h:1: TLS: h is not in the server's certificate: use a name of the certificate in mongodb.uri and rs.conf()"),
        (errors.AutoReconnect("SSL handshake failed: h:1:  (configured timeouts: connectTimeoutMS: 5000.0ms)"),
         "h:1: the connection was closed"),
        (errors.AutoReconnect("a:1: Connection refused,b:2: timed out,c:3: Connection refused"),
         "a:1, c:3: connection refused; b:2: no answer in time"),
        (errors.AutoReconnect("h:1: connection closed"), "h:1: the connection was closed"),
        (errors.AutoReconnect("h:1: Connection is closed (configured timeouts: connectTimeoutMS: 5000.0ms)"),
         "h:1: the connection was closed"),
        (refused(18, "Authentication failed."), REJECTED),
        (refused(18, "No verified subject name available from client"),
         "authentication failed: the user is known by a certificate. Set tlsCertificateKeyFile in mongodb.uri"),
        (refused(11, 'Could not find user "CN=w,OU=a b,O=c" for db "$external"'),
         "MongoDB has no user CN=w,OU=a b,O=c in $external: make it, or use another one in mongodb.uri"),
        (refused(11, "Could not find it"), "MongoDB has no such user"),
        (refused(13, "command find requires authentication"), "MongoDB asks for a user, and mongodb.uri names none"),
        (refused(13, 'not authorized on game to execute command { find: "players", filter: { _id: "alice" } }'),
         ('not authorized: the user lacks find on game.players. Grant it to the user\'s role: db.getSiblingDB("admin")'
         '.grantPrivilegesToRole("ROLE", [{resource: {db: "game", collection: "players"}, actions: ["find"]}])')),
        (refused(13, 'not authorized on game to execute command { update: "players", updates: [ { q: 1 } ] }'),
         ('not authorized: the user lacks insert and update on game.players. Grant it to the user\'s role: '
         'db.getSiblingDB("admin").grantPrivilegesToRole("ROLE", [{resource: {db: "game", collection: "players"}, '
         'actions: ["insert", "update"]}])')),
        (refused(13, "not authorized on admin to execute command { killSessions: [ { id: UUID(1) } ] }"),
         ('not authorized: the user lacks killAnySession on the cluster. Grant it to the user\'s role: '
         'db.getSiblingDB("admin").grantPrivilegesToRole("ROLE", [{resource: {cluster: true}, '
         'actions: ["killAnySession"]}])')),
        (refused(13, "not authorized on game to execute command { listCollections: 1, filter: {} }"),
         ('not authorized: the user lacks listCollections on database game. Grant it to the user\'s role: '
         'db.getSiblingDB("admin").grantPrivilegesToRole("ROLE", [{resource: {db: "game", collection: ""}, '
         'actions: ["listCollections"]}])')),
        (refused(13, 'not authorized on game to execute command { aggregate: "a", pipeline: [ { $collStats: {} } ] }'),
         ('not authorized: the user lacks collStats on game.a. Grant it to the user\'s role: '
         'db.getSiblingDB("admin").grantPrivilegesToRole("ROLE", [{resource: {db: "game", collection: "a"}, '
         'actions: ["collStats"]}])')),
        (refused(13, 'not authorized on game to execute command { somethingNew: "players" }'),
         "not authorized: the user may not run somethingNew on game.players"),
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
        ("certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)", STRANGE_CA),
        ("certificate verify failed: self signed certificate (_ssl.c:1006)", STRANGE_CA),
        ("certificate verify failed: certificate has expired (_ssl.c:1006)",
         "TLS: the server's certificate has expired: give the server a new one"),
        ("certificate verify failed: certificate is not yet valid (_ssl.c:1006)",
         "TLS: the server's certificate is not valid yet: compare the clocks"),
        ("certificate verify failed: IP address mismatch, certificate is not valid for '10.0.0.1'. (_ssl.c:1006)",
         ("TLS: 10.0.0.1 is not in the server's certificate: use a name of the certificate in mongodb.uri and "
         "rs.conf()")),
        ("certificate verify failed: unsuitable certificate purpose (_ssl.c:1006)",
         "TLS: the server's certificate is not accepted: unsuitable certificate purpose"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca",
         f"TLS: the server does not trust the authority of {OWN_CERTIFICATE}"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert certificate expired",
         f"TLS: {OWN_CERTIFICATE} has expired: get a new one"),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] sslv3 alert bad certificate",
         f"TLS: the server does not accept {OWN_CERTIFICATE}"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_UNKNOWN] sslv3 alert certificate unknown",
         f"TLS: the server does not accept {OWN_CERTIFICATE}"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required",
         f"TLS: the server requires {OWN_CERTIFICATE}"),
        ("Private key doesn't match certificate: [SSL] PEM lib (_ssl.c:3926)",
         ("tlsCertificateKeyFile must hold a certificate and its key as PEM. If the key is encrypted, "
         "tlsCertificateKeyFilePassword must be its password")),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", NO_TLS),
        ("[SSL: RECORD_LAYER_FAILURE] x", NO_TLS),
        ("[SSL] record layer failure", NO_TLS),
        ("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol", "the connection was closed"),
        ("connection is already closed", "the connection was closed"),
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
        ('No replica set members available for replica set name "rs0", Timeout: 5s',
         "no server of mongodb.uri is a member of a replica set named rs0: check replicaSet in mongodb.uri"),
        ("No replica set members available",
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
