"""MongoDB's errors in plain words: no class name, no repr, no description of the topology, no document.

The server's messages quote whole documents, so the words of its errors are found by code. The client's messages about
the network are searched for the few causes that exist. The rest of them is left out.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from bson.errors import BSONError
from pymongo import errors

from serving.mongodb.rights import UNAUTHORIZED, denied_words, is_without_user

# A missing right with the command that grants it takes 250.
MAX_CHARACTERS = 400

FOUND: Final[dict[str, str]] = {}
"""Why servers close connections, by `host:port`, as serving/mongodb/handshakes.py has found out."""

CLOSED: Final = "the connection was closed"
REQUIRES_TLS: Final = "the server requires TLS: add tls=true to mongodb.uri"
NO_TLS: Final = "the server does not speak TLS: remove tls=true from mongodb.uri, or give the server a certificate"
NO_PROTOCOL: Final = "the server does not speak MongoDB's protocol: check the hosts and ports of mongodb.uri"
NO_SUCH_SET: Final = "no server of mongodb.uri is a member of a replica set named {0}: check replicaSet in mongodb.uri"

NOT_MENDED: Final = ("TLS: ", REQUIRES_TLS, NO_TLS, NO_PROTOCOL)
"""What no retry mends. Each reason holds one of them."""

_NO_PRIMARY = "the replica set has no primary"
_TAKEN = "another transaction writes the same documents"
_ENDED = "the server has ended the transaction"
_DISK = "the server's disk is full"
_REJECTED = "authentication failed: wrong user, password or authSource in mongodb.uri"

# By the server's codes.
_CODES: Final[Mapping[int, str]] = {
    2: "a value can't be stored, such as a sum beyond int64",
    6: "the server can't be reached by another member",
    11: "MongoDB has no such user",
    13: "not authorized",
    18: _REJECTED,
    20: "the server has no transactions: it is not a member of a replica set",
    24: "waited too long for a lock",
    26: "no such collection",
    43: "the server no longer knows the cursor",
    46: "waited too long for a lock",
    48: "the collection exists already",
    50: "the server took too long and gave up",
    59: "the server does not know this command: it is too old",
    64: "the write was not confirmed by a majority in time",
    85: "an index of this name or these keys exists with other options",
    86: "an index of this name exists with other keys",
    89: "a member of the cluster gave no answer in time",
    91: "the server is shutting down",
    100: "too few members to confirm a write by a majority",
    112: _TAKEN,
    121: "a document does not pass the collection's validation",
    133: "no member of the shard that can be read",
    134: "the server has not reached the requested time yet",
    189: "the primary is stepping down",
    202: "the other member gave no answer in time",
    211: "the server has no key to sign the cluster's time with",
    225: "the transaction is older than one the server knows",
    237: "the cursor was ended",
    239: "the snapshot is too old",
    246: "the snapshot is not available yet",
    251: _ENDED,
    256: "the transaction is committed already",
    257: "the transaction is too large",
    262: "the server took too long and gave up",
    263: "the server does not allow this in a transaction",
    290: "the transaction took longer than the server allows",
    334: "the server does not know this way to authenticate: see authMechanism",
    388: "the transaction is too large for the server's cache",
    391: "the server asks for authentication again",
    8000: _REJECTED,
    9001: "the server lost a connection",
    10058: "the server is starting or stopping",
    10107: "this server is not the primary",
    10334: "a document is larger than 16 MB",
    11000: "a document with this key exists already",
    11600: "the server is shutting down",
    11601: "the server ended the operation",
    11602: "the operation was ended by a change of the primary",
    13388: "the cluster's settings have changed meanwhile",
    13435: "this server is not the primary and may not be read",
    13436: "this server is not the primary and may not be read",
    14031: _DISK,
    17280: "a key is too large for an index",
}

_NO_SUCH_USER = 11
_NOT_AUTHENTICATED = 18

# By the class of the client's error, the most specific first.
_KINDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (errors.NotPrimaryError, "this server is not the primary"),
    (errors.WaitQueueTimeoutError, "all connections were in use for too long"),
    (errors.NetworkTimeout, "no answer in time"),
    (errors.ServerSelectionTimeoutError, "no server answers"),
    (errors.ConnectionFailure, "the connection broke"),
    (errors.WTimeoutError, _CODES[64]),
    (errors.WriteConcernError, "the write was not confirmed by a majority"),
    (errors.ExecutionTimeout, _CODES[50]),
    (errors.CursorNotFound, _CODES[43]),
    (errors.DuplicateKeyError, _CODES[11000]),
    (errors.OperationFailure, "the server refused the operation"),
    (errors.InvalidURI, "the URI can't be read"),
    (errors.ConfigurationError, "the client does not work with this server or these settings"),
    (errors.CollectionInvalid, "the collection exists already"),
    (errors.InvalidName, "a name is not allowed"),
    (errors.InvalidOperation, "the client is closed, or was used out of order"),
    (errors.ProtocolError, NO_PROTOCOL),
    (errors.EncryptionError, "the client can't encrypt or decrypt"),
    (BSONError, "a document can't be stored: it does not fit BSON"),
    (OverflowError, "a document can't be stored: a number is beyond int64"),
    (UnicodeError, "a document can't be stored: a text is not Unicode"),
    (errors.PyMongoError, "the client failed"),
    (TimeoutError, "no answer in time"),
)

_CA: Final = "tlsCAFile in mongodb.uri"
_OWN: Final = "the client's certificate (tlsCertificateKeyFile in mongodb.uri)"
_KEY_FILE: Final = (
    "tlsCertificateKeyFile must hold a certificate and its key as PEM. If the key is encrypted, "
    "tlsCertificateKeyFilePassword must be its password"
)

# By what the client's message contains, the most specific first. A group may be quoted.
_CAUSES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"certificate verify failed: (?:self.signed|unable to get)",
         f"TLS: the server's certificate is not signed by an authority of {_CA}"),
        (r"certificate verify failed: certificate has expired",
         "TLS: the server's certificate has expired: give the server a new one"),
        (r"certificate verify failed: certificate is not yet valid",
         "TLS: the server's certificate is not valid yet: compare the clocks"),
        (r"certificate verify failed: (?:Hostname|IP address) mismatch, certificate is not valid for '?([\w.:-]+)'?",
         "TLS: {0} is not in the server's certificate: use a name of the certificate in mongodb.uri and rs.conf()"),
        (r"certificate verify failed: ([\w ,'.:-]*\w'?)", "TLS: the server's certificate is not accepted: {0}"),
        (r"certificate verify failed", "TLS: the server's certificate is not accepted"),
        (r"alert certificate expired", f"TLS: {_OWN} has expired: get a new one"),
        (r"alert unknown ca", f"TLS: the server does not trust the authority of {_OWN}"),
        (r"alert (?:bad|unsupported|unknown) certificate|alert certificate (?:unknown|revoked)",
         f"TLS: the server does not accept {_OWN}"),
        (r"certificate required", f"TLS: the server requires {_OWN}"),
        (r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|record layer failure",
         NO_TLS),
        (r"Private key doesn't match certificate",
         _KEY_FILE),
        # The client says nothing more if a server closes the connection during the handshake.
        (r"UNEXPECTED_EOF|EOF occurred|^ *\(configured timeouts", CLOSED),
        (r"\bSSL\b|TLS handshake", "TLS failed"),
        (r"Connection refused|Connect call failed", "connection refused"),
        (r"Name or service not known|nodename nor servname|getaddrinfo|No address assoc|name resolution|query name",
         "no such host name"),
        (r"DNS|SRV|TXT record", "the SRV record can't be read"),
        (r"timed out|timeout exceeded|deadline", "no answer in time"),
        (r"No route to host|Network is unreachable", "no route to the server"),
        (r"connection reset|broken pipe|connection (?:is (?:already )?)?closed|operation cancelled", CLOSED),
        (r"pool (was )?cleared|pool for|paused", CLOSED),
        (r"Message length \(|Unsupported OP_MSG|Got (?:opcode|response id) ", NO_PROTOCOL),
        (r"No primary available|selector .?Primary|No replica set members match", _NO_PRIMARY),
        (r"No replica set members available for replica set name \"?([\w.-]+)",
         NO_SUCH_SET),
        (r"No replica set members (found|available)|internal hostnames",
         "no member of the replica set can be reached by its name in rs.conf()"),
        (r"Sessions are not supported", "no server that supports sessions answers"),
    )
)  # fmt: skip

# "host:port: [Errno 111] Connection refused (configured timeouts: ...)", several with commas in between.
_server_texts = re.compile(r"(?:^|,)(?:SSL handshake failed: )?((?:[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}): ").split
_no_user = re.compile(r'Could not find user "([\w=@ .,:+-]{1,200})" for db "([\w$-]+)"').search
_is_name = re.compile(r"[A-Z][A-Za-z]{2,60}").fullmatch


def why(error: BaseException) -> str:
    """Say what went wrong, for a person. The server's code says most, then the client's message, then its class."""
    if isinstance(error, errors.EncryptionError):
        return why(error.cause)
    words = _of_server(error) if isinstance(error, errors.OperationFailure | errors.NotPrimaryError) else ""
    if not words and isinstance(error, errors.PyMongoError):
        words = _of_text(str(error))
    return (words or _of_kind(error))[:MAX_CHARACTERS]


def is_closed(error: BaseException) -> bool:
    """Whether the client says of a server only that it closed the connection."""
    return _cause(_server_texts(str(error))[-1]) == CLOSED


# The server serves no call now: it starts, stops, is not the primary, has a full disk, or rejects the user.
_LOST_CODES: Final = frozenset(
    {6, 7, 11, 18, 89, 91, 133, 189, 391, 8000, 9001, 10058, 10107, 11600, 11602, 13435, 13436, 14031}
)


def is_lost(error: BaseException) -> bool:
    """Whether MongoDB is unavailable to this process for every call. If not, it refused this one."""
    if isinstance(error, errors.OperationFailure | errors.NotPrimaryError):
        codes = set(codes_of(error))
        if _LOST_CODES & codes or (UNAUTHORIZED in codes and is_without_user(str(error))):
            return True
    if isinstance(error, errors.WaitQueueTimeoutError):
        return False
    # ConfigurationError too: in a failover the client has been seen to say "Sessions are not supported".
    return isinstance(error, errors.ConnectionFailure | errors.ConfigurationError)


def codes_of(error: BaseException) -> Iterator[int]:
    """The server's codes: the error's own, and those of each write of a bulk, whose own code is 65."""
    if isinstance(error, errors.OperationFailure) and error.code is not None:
        yield error.code
    details = getattr(error, "details", None)
    if not isinstance(details, Mapping):
        return
    if isinstance(error, errors.NotPrimaryError) and isinstance(details.get("code"), int):
        yield details["code"]
    for name in ("writeErrors", "writeConcernErrors"):
        for failed in details.get(name) or ():
            if isinstance(failed, Mapping) and isinstance(failed.get("code"), int):
                yield failed["code"]


def _of_server(error: errors.PyMongoError) -> str:
    """The codes in words, or the server's name for the first of them; empty without a code."""
    codes = sorted(set(codes_of(error)))
    words = [_code_words(code, str(error)) for code in codes if code in _CODES]
    if words:
        return "; ".join(dict.fromkeys(words))
    if not codes:
        return ""
    name = str((getattr(error, "details", None) or {}).get("codeName", ""))
    return f"the server refused the operation with code {codes[0]}" + (f" ({name})" if _is_name(name) else "")


def _code_words(code: int, message: str) -> str:
    """Of the codes of security the server's message says more."""
    if code == UNAUTHORIZED:
        return denied_words(message)
    if code == _NO_SUCH_USER and (found := _no_user(message)):
        return f"MongoDB has no user {found[1]} in {found[2]}: make it, or use another one in mongodb.uri"
    if code == _NOT_AUTHENTICATED and "No verified subject name" in message:
        return "authentication failed: the user is known by a certificate. Set tlsCertificateKeyFile in mongodb.uri"
    return _CODES[code]


def _of_text(text: str) -> str:
    """The causes in the client's message, each with the servers' addresses; empty if none is known."""
    text = text.partition(", Timeout:")[0].partition("Topology Description")[0]
    first, *pairs = _server_texts(text)
    causes: dict[str, list[str]] = {}
    for address, part in zip(pairs[::2], pairs[1::2], strict=True):
        words = _cause(part)
        causes.setdefault(FOUND.get(address, words) if words == CLOSED else words, []).append(address)
    causes.pop("", None)
    return "; ".join(f"{', '.join(addresses)}: {words}" for words, addresses in causes.items()) or _cause(first)


def _cause(text: str) -> str:
    for pattern, words in _CAUSES:
        if found := pattern.search(text):
            return words.format(*found.groups())
    return ""


def _of_kind(error: BaseException) -> str:
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return _cause(str(error)) or (error.strerror or "the network failed").lower()
    return next((words for kind, words in _KINDS if isinstance(error, kind)), "an unexpected failure")
