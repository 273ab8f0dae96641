"""uvicorn's HTTP protocol with the limits of serving/http/framing.py and serving/http/connections.py (B9).

Bytes that are not an HTTP request reach the ASGI app too, with the reason (serving/http/unparsed.py). So the reply has
the shape of the path's API, a request id and a count, like every other (B5).
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from schemas.errors.table import Refusal
from serving.headers import RawHeader
from serving.http.connections import Connections
from serving.http.framing import Framer
from serving.http.unparsed import BY_STATUS, extensions_of
from serving.http.whole import Scope, offering

HEAD_SECONDS: Final = 20.0
"""From the first byte of a head to its end, and for the first byte of a new connection. A bad mobile line needs 3 s."""

UNREAD_SECONDS: Final = 30.0
"""For a client to read on when the system's send buffers are full."""

MAX_PIPELINED_BYTES: Final = 64 * 1024
"""Of requests behind the current one. Above this, reading pauses."""

PROBES: Final = (b"/livez", b"/readyz", b"/metrics")


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, connections: Connections, **named: Any) -> None:  # noqa: ANN401 uvicorn's own
        super().__init__(*args, **named)
        self._open = connections
        self._framer = Framer()
        self._timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._has_begun = False
        """Whether the parser has been given the head of the request that is under way."""
        self._refusing = False
        self.address: str | None = None

    # Callbacks of the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.address = self.client[0] if self.client else None
        if self._open.opened(self):
            self._await_head()
        else:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timers()
        self._open.gone(self)
        if self.cycle is not None:
            self.cycle.scope.pop("extensions", None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusing:
            # Read and dropped until the client has read the reply: closing with unread bytes would reset it.
            self.cycle.message_event.set()
        else:
            self._forward(self._framer.feed(data))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self._open.drop, self, "unread")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_unread_timer()

    # Callbacks of the parser and of the reply.

    def on_headers_complete(self) -> None:
        self._open.busy(self)
        self.scope["extensions"] = offering(self)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self._open.silent(self)
        # It refers to the connection: a scope that outlives its reply must not keep it.
        self.cycle.scope.pop("extensions", None)
        super().on_response_complete()
        if self.transport.is_closing():  # as after a refusal
            return
        if self._framer.ended:
            # One request at a time: the bytes behind this one have not been checked yet.
            self._has_begun = False
            self._forward(self._framer.following())
        else:
            # Otherwise the rest of its body would be read as the next request.
            self.transport.close()

    # What the app can do in one step (whole.py). A refusal may have taken the place of its request.

    def body_of(self, scope: Scope) -> bytes | None:
        cycle = self.cycle
        is_over = cycle.scope is not scope or cycle.disconnected or cycle.response_complete
        if is_over or cycle.more_body or cycle.waiting_for_100_continue:
            return None
        self.flow.resume_reading()
        cycle.message_event.clear()
        body, cycle.body = bytes(cycle.body), bytearray()
        return body

    def answer(self, scope: Scope, status: int, headers: Sequence[RawHeader], body: bytes) -> bool:
        cycle = self.cycle
        is_over = cycle.scope is not scope or cycle.disconnected or cycle.response_started
        if is_over or not cycle.keep_alive or self.flow.write_paused:
            return False
        lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)]
        head = b"%b%b\r\n" % (STATUS_LINE[status], b"".join(lines))
        if head.count(b"\n") != len(lines) + 2 or head.count(b"\r") != len(lines) + 2:
            return False  # a header with a line break: left to uvicorn, which refuses it
        cycle.response_started = cycle.response_complete = True
        self.transport.write(head + body)
        cycle.message_event.set()
        cycle.on_response()
        return True

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 the reply has its own message
        self._refuse(Refusal.BAD_HTTP)

    # What follows from them.

    def _forward(self, checked: bytes) -> None:
        """Give the checked bytes to the parser, and start the time limit for those that must follow."""
        framer = self._framer
        if checked and not self._has_begun:
            self._has_begun = True
            self._cancel_head_timer()
            if self._open.is_full and framer.target not in PROBES:
                self._refuse(Refusal.FULL)
                return
        if checked:
            super().data_received(checked)
        if framer.bad:
            self._refuse(BY_STATUS.get(framer.bad.status))
        elif framer.has_head:
            if framer.waiting_bytes > MAX_PIPELINED_BYTES:
                self.flow.pause_reading()
        elif not framer.is_silent and self._timer is None:
            self._unset_keepalive_if_required()
            self._await_head()

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        if self._framer.is_silent:
            self._open.drop(self, "silent")
        else:
            self._refuse(Refusal.HEAD_LATE)

    def _refuse(self, unparsed: Refusal | None) -> None:
        """Answer in place of the current request, and read no further one. None: the app chooses the error."""
        if self._refusing or self.transport.is_closing():
            return
        self._refusing = True
        self._cancel_head_timer()
        self._unset_keepalive_if_required()
        before = self.cycle
        if before is not None and not before.response_complete:
            if before.response_started:
                self.transport.close()
                return
            before.disconnected = True
            before.message_event.set()
        self._open.busy(self)
        self.flow.resume_reading()
        self.cycle = self._refusal_cycle(unparsed)
        self._start_asgi_task(self.cycle, self.app)

    def _refusal_cycle(self, unparsed: Refusal | None) -> RequestResponseCycle:
        path = self._framer.target.partition(b"?")[0].decode("ascii") or "/"
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "method": self._framer.method.decode("ascii") or "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            "state": self.app_state.copy(),
            "extensions": extensions_of(unparsed),
        }
        return RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )

    def drop(self) -> None:
        self._cancel_timers()
        self.transport.abort()

    def _cancel_head_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _cancel_unread_timer(self) -> None:
        if self._unread_timer:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _cancel_timers(self) -> None:
        self._cancel_head_timer()
        self._cancel_unread_timer()


def server_config(
    app: Callable[[Any, Any, Any], Any], connections: Connections, keep_alive_seconds: int, stop_timeout_seconds: int
) -> uvicorn.Config:
    """The settings of a server of `app` with these limits."""
    protocol: Any = partial(BoundedHttpProtocol, connections=connections)
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=keep_alive_seconds,
        timeout_graceful_shutdown=stop_timeout_seconds,
    )
