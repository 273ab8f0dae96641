"""The one way to connect to MongoDB: what every client of it is made with, and its errors in plain words.

- What is read and how durably it is written is pinned: primary, majority, journaled, with retries. Lineages,
  checkpoints and sessions depend on it. A URI that says otherwise is refused, and the option named.
- `directConnection=true` is allowed, for a tunnel or a forwarded port, with a warning: the client then reads from that
  server also while it is a secondary. Nothing can be written there, so it costs the freshness of replies alone.
- A server that stands still is noticed within HEARTBEAT_MILLIS + CONNECT_MILLIS: its heartbeat fails, and the client
  ends the connections to it, also those that wait for an answer.
"""

import functools
import re
from typing import Any, Final

import structlog
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from schemas.settings import MongoSettings
from serving.mongodb.uri import UnusableUri, uri_problems
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

# A server that is there accepts a connection, and answers a heartbeat, within milliseconds. The client's default, 20 s,
# is how long a frozen one is waited for.
CONNECT_MILLIS = 5_000

# The client's default is 10 s. Half of it halves how long a frozen primary is taken for a living one.
HEARTBEAT_MILLIS = 5_000

# Longer than any command of a process that serves: a try of a flush is given up after 10 s, a query of the console and
# a read of the ingress have bounds of their own.
SOCKET_MILLIS = 20_000

# How long a call looks for a primary before it says that there is none.
ANSWER_MILLIS = 5_000

# What a URI may not say otherwise, by the names of its options.
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

    `socketTimeoutMS=None` is for commands that may take minutes, such as the build of an index: a frozen server is
    noticed by its heartbeat all the same. Raises UnusableUri.
    """
    if mongodb.uri is None:
        raise UnusableUri(["mongodb.uri: required"])
    uri = mongodb.uri.get_secret_value()
    if problems := uri_problems(uri, PINNED):
        raise UnusableUri(problems)
    if _direct(uri):
        _warn_of_direct()
    try:
        return AsyncMongoClient(uri, appname=appname, **{**PINNED, **own})
    except (PyMongoError, ValueError, OSError) as error:
        raise UnusableUri([f"mongodb.uri: {why(error)}"]) from error


@functools.cache
def _warn_of_direct() -> None:
    """Once a process, however many clients it has."""
    log.warning(
        "mongodb_direct_connection",
        reason="with directConnection=true in mongodb.uri one server is asked, also while it is not the primary: reads "
        "may be old, and no other server takes over. Name the replica set instead (replicaSet=...)",
    )
