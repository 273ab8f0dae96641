"""Finds out why a server closes connections without a reason.

A server that requires TLS closes a connection without TLS, and one without TLS a connection with it. A server that does
not accept the client's certificate closes the connection too, and the client discards the reason. So after such a
heartbeat the server is asked once more over a connection of this module, which reads what the client does not.

It blocks the event loop, for PROBE_SECONDS at most and at most once in PAUSE_SECONDS for each server: the outage is
logged with the reason, and nothing else can be done meanwhile without MongoDB. A server that does not run refuses the
connection at once.
"""

import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Any

import bson
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

from serving.mongodb.certificate import certificate_words
from serving.mongodb.words import FOUND, NO_TLS, REQUIRES_TLS, is_closed, why

# A server that runs answers within milliseconds.
PROBE_SECONDS = 0.5

PAUSE_SECONDS = 10.0
DEFAULT_PORT = 27017

Address = tuple[str, int]


class Handshakes(ServerHeartbeatListener):
    """Of one client. `context` returns its TLS context, None without TLS; `certificate`: the file of its own."""

    def __init__(self, context: Callable[[], ssl.SSLContext | None], certificate: str | None) -> None:
        self._context = context
        self._certificate = certificate
        self._asked: dict[str, float] = {}

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Nothing is known yet."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        FOUND.pop(_name(event.connection_id), None)

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        name, now = _name(event.connection_id), time.monotonic()
        if not is_closed(event.reply) or now - self._asked.get(name, -PAUSE_SECONDS) < PAUSE_SECONDS:
            return
        self._asked[name] = now
        FOUND.pop(name, None)
        host, port = event.connection_id
        if found := reason_of((host, port or DEFAULT_PORT), self._context(), self._certificate):
            FOUND[name] = found


def _name(address: tuple[str, int | None]) -> str:
    """As the client's messages name a server."""
    return f"{address[0]}:{address[1]}"


def reason_of(address: Address, context: ssl.SSLContext | None, certificate: str | None) -> str | None:
    """Why a server closes connections; None if it does not, or gives no reason."""
    try:
        return _without_tls(address) if context is None else _with_tls(address, context, certificate)
    except OSError:
        return None


def _without_tls(address: Address) -> str | None:
    """Any certificate will do: nothing is sent."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    with socket.create_connection(address, PROBE_SECONDS) as plain, trusting.wrap_socket(plain):
        return REQUIRES_TLS


def _with_tls(address: Address, context: ssl.SSLContext, certificate: str | None) -> str | None:
    """A mongod completes the handshake before it judges the client's certificate, and then closes without an alert."""
    try:
        with (
            socket.create_connection(address, PROBE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=address[0]) as secure,
        ):
            is_closed = secure.recv(1) == b""
    except (ssl.SSLEOFError, ConnectionError):
        return NO_TLS if _speaks_plainly(address) else None
    except ssl.SSLError as error:
        return why(error)
    return certificate_words(certificate) if is_closed else None


def _speaks_plainly(address: Address) -> bool:
    """Whether the server answers `hello` without TLS."""
    command: dict[str, Any] = {"hello": 1, "$db": "admin"}
    body = b"\0\0\0\0\0" + bson.encode(command)
    with socket.create_connection(address, PROBE_SECONDS) as plain:
        plain.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body)
        return plain.recv(1) != b""


_OP_MSG = 2013
