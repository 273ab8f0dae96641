"""The options of every client of MongoDB.

- Where reads go and how durable writes are is pinned: primary, majority, journaled, with retries. Lineages, checkpoints
  and sessions depend on it. A URI with another value is refused, and the message names the option.
- `directConnection=true` is allowed, for a tunnel or a forwarded port, with a warning. The client then reads from that
  server even while it is a secondary, so replies may be old. Nothing is lost: a secondary accepts no writes.
- A frozen server is noticed within HEARTBEAT_MILLIS + CONNECT_MILLIS. Its heartbeat fails, and the client closes the
  connections to it, also those that wait for an answer.
"""

import functools
import re
import ssl
from typing import Any, Final

import structlog
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from schemas.settings import MongoSettings
from serving.mongodb.certificate import unusable_files
from serving.mongodb.handshakes import Handshakes
from serving.mongodb.renewal import remember
from serving.mongodb.uri import UnusableUri, certificate_of, uri_problems
from serving.mongodb.words import codes_of, is_lost, why

__all__ = [
    "ANSWER_MILLIS",
    "PINNED",
    "SOCKET_MILLIS",
    "UnusableUri",
    "codes_of",
    "is_lost",
    "new_client",
    "uri_problems",
    "why",
]

log = structlog.get_logger()

Document = dict[str, Any]

_direct = re.compile(r"\?.*\bdirectconnection=true\b", re.IGNORECASE).search

# A server that runs accepts a connection, and answers a heartbeat, within milliseconds. The client's default of 20 s
# would also be the wait for a frozen one.
CONNECT_MILLIS = 5_000

# The client's default is 10 s. With this a frozen primary is noticed within 8 s, so that a gauge says so within 10 s.
HEARTBEAT_MILLIS = 3_000

# Longer than any command of ingress, worker and console: a try of a flush ends after 10 s, and queries of the console
# and reads of the ingress have shorter time-outs.
SOCKET_MILLIS = 20_000

# A call fails if it finds no primary within this time.
ANSWER_MILLIS = 5_000

# Options that mongodb.uri must not set to another value.
PINNED: Final[dict[str, Any]] = {
    "readPreference": "primary",
    "readConcernLevel": "majority",
    "w": "majority",
    "journal": True,
    "retryWrites": True,
    "retryReads": True,
    "uuidRepresentation": "unspecified",
    "tz_aware": True,
    "unicode_decode_error_handler": "strict",
    "connectTimeoutMS": CONNECT_MILLIS,
    "heartbeatFrequencyMS": HEARTBEAT_MILLIS,
    "socketTimeoutMS": SOCKET_MILLIS,
    "serverSelectionTimeoutMS": ANSWER_MILLIS,
}


def new_client(mongodb: MongoSettings, appname: str, **own: Any) -> AsyncMongoClient[Document]:  # noqa: ANN401 options are any
    """A client with the pinned options. `own` are the caller's: shorter time-outs, a pool's size.

    `socketTimeoutMS=None` is for commands that may take minutes, such as the build of an index. The heartbeat still
    notices a frozen server. Raises UnusableUri.
    """
    if mongodb.uri is None:
        raise UnusableUri(["mongodb.uri: required"])
    uri = mongodb.uri.get_secret_value()
    if problems := uri_problems(uri, PINNED) or unusable_files(uri):
        raise UnusableUri(problems)
    if _direct(uri):
        _warn_of_direct_connection()
    handshakes = Handshakes(lambda: _context_of(client), certificate_of(uri))
    own["event_listeners"] = [*own.get("event_listeners", ()), handshakes]
    try:
        client = AsyncMongoClient(uri, appname=appname, **{**PINNED, **own})
    except (PyMongoError, ValueError, OSError) as error:
        raise UnusableUri([f"mongodb.uri: {why(error)}"]) from error
    remember(client)
    return client


def _context_of(client: AsyncMongoClient[Document]) -> ssl.SSLContext | None:
    """Its TLS context. An asynchronous client uses Python's own, never PyOpenSSL's."""
    found: Any = client.options.pool_options._ssl_context  # noqa: SLF001 it has no public name
    return found if isinstance(found, ssl.SSLContext) else None


@functools.cache
def _warn_of_direct_connection() -> None:
    """Warn once a process, which may have several clients."""
    log.warning(
        "mongodb_direct_connection",
        reason="with directConnection=true in mongodb.uri tallymill uses one server, even while it is not the primary: "
        "reads may be old, and no other server takes over. Name the replica set instead (replicaSet=...)",
    )
