"""A proxy on loopback before the ingress. The next requests meet the given faults."""

import http.client
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_site import http_site
from tests.patience import PATIENCE_SECONDS

RETRY_AFTER_SECONDS = 1
TIMEOUT_SECONDS = PATIENCE_SECONDS
# Headers of one connection, not to be forwarded (RFC 9110, section 7.6.1).
HOP_BY_HOP = {"connection", "transfer-encoding", "host"}

RESET = struct.pack("ii", 1, 0)  # linger on, for 0 s: closing sends RST


class Fault(Enum):
    """What becomes of one request."""

    AWAY = auto()
    """The ingress sees nothing of it; 503 with Retry-After."""
    TOO_FAST = auto()
    """The ingress sees nothing of it; RECORD_RATE_HIGH, or of AddEvent 429, with Retry-After."""
    CUT = auto()
    """The ingress answers; its client never hears it: the connection is reset."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request as it came: when, what, as which type, and the fault it met."""

    at_seconds: float
    body: Any
    content_type: str | None
    fault: Fault | None


@dataclass(slots=True)
class Unlucky:
    """The next POSTs meet `faults`, in order; then all goes well.

    `preflights`: paths that a browser has asked about first.
    """

    upstream: str
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    preflights: list[str] = field(default_factory=list)


def reset(connection: socket.socket) -> None:
    """Close at once, whatever the other end still has to read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    os.close(connection.detach())


@contextmanager
def unlucky_proxy(upstream: str) -> Iterator[Unlucky]:
    proxy = Unlucky(upstream)
    with http_site(type("Handler", (_Handler,), {"proxy": proxy})) as proxy.url:
        yield proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_SECONDS
    proxy: Unlucky

    def do_GET(self) -> None:
        self._relay(b"")

    def do_OPTIONS(self) -> None:
        self.proxy.preflights.append(self.path)
        self._relay(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.proxy.faults.pop(0) if self.proxy.faults else None
        attempt = Attempt(time.monotonic(), json.loads(body), self.headers["Content-Type"], fault)
        self.proxy.attempts.append(attempt)
        if fault is Fault.AWAY:
            self._answer(503, {"error": {"code": 503, "message": "away", "errors": [{"reason": "backendError"}]}})
        elif fault is Fault.TOO_FAST and self.path.startswith("/AddEvent"):
            self._answer(429, {"StatusCode": 6, "Severity": 2, "StatusMessage": "too fast", "Content": False})
        elif fault is Fault.TOO_FAST:
            self._answer(200, {"batchFailures": [{"failureCause": "RECORD_RATE_HIGH", "range": {}}]})
        else:
            self._relay(body, cut=fault is Fault.CUT)

    def _answer(self, status: int, content: object) -> None:
        headers = {"Content-Type": "application/json", "Retry-After": str(RETRY_AFTER_SECONDS)}
        # As an ingress that allows any page: a browser's script may read why.
        headers |= {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
        self._send(status, headers, json.dumps(content).encode())

    def _relay(self, body: bytes, *, cut: bool = False) -> None:
        """The ingress's answer, unless the connection is cut before it."""
        upstream = http.client.HTTPConnection(self.proxy.upstream.removeprefix("http://"), timeout=TIMEOUT_SECONDS)
        try:
            upstream.request(self.command, self.path, body, _end_to_end(self.headers.items()))
            reply = upstream.getresponse()
            content = reply.read()
        finally:
            upstream.close()
        if cut:
            self.close_connection = True
            reset(self.connection)
        else:
            self._send(reply.status, _end_to_end(reply.getheaders()), content)

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is http.server's
        """Quiet."""


def _end_to_end(headers: Any) -> dict[str, str]:  # noqa: ANN401 pairs, of either end
    return {name.title(): value for name, value in headers if name.lower() not in HOP_BY_HOP}
