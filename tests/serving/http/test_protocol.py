"""What the protocol itself holds, whatever the app does: on sockets, with apps that read nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from serving.http.connections import Connections
from serving.http.life import Server
from serving.http.protocol import MAX_PIPELINED_BYTES, BoundedHttpProtocol, server_config
from tests.consumer.parts import eventually
from tests.patience import PATIENCE_SECONDS

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[tuple[Server, tuple[str, int]]]:  # noqa: ANN401 an ASGI app
    listener = socket.create_server(("127.0.0.1", 0))
    # Longer than a test: no connection ends because it is idle.
    server = Server(server_config(app, Connections(10, None), int(10 * PATIENCE_SECONDS), 1))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield server, listener.getsockname()
    server.force_exit = server.should_exit = True
    await task


async def answers(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 an ASGI app
    """Without reading the body, and without `connection: close`."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def test_the_rest_of_a_body_that_an_app_has_not_read_is_no_request() -> None:
    """The connection ends, though the app did not say so."""
    async with serving(answers) as (_, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(HEAD % 100)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.read() == b""
        writer.close()


async def test_what_waits_behind_a_request_is_bounded() -> None:
    """While a request is in progress, only a part of the bytes behind it is read."""
    go, begun = asyncio.Event(), asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 an ASGI app
        begun.set()
        await go.wait()
        await answers(scope, receive, send)

    async with serving(waits) as (server, address):
        reader, writer = await asyncio.open_connection(*address)
        behind = (HEAD % 0) * 200_000
        writer.write(HEAD % 0 + behind)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await begun.wait()
            (connection,) = server.server_state.connections
            assert isinstance(connection, BoundedHttpProtocol)
        assert connection._timer is None, "the time for the head is over when the head is there"
        await eventually(lambda: connection.flow.read_paused)
        # One more read of the loop's may have been under way.
        assert MAX_PIPELINED_BYTES < connection._framer.waiting_bytes <= MAX_PIPELINED_BYTES + 1024 * 1024
        go.set()
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)).startswith(b"HTTP/1.1 200")
        writer.transport.abort()


async def test_what_a_refused_client_still_sends_is_read() -> None:
    """For as long as it sends: a connection that is closed with unread bytes is reset, and the reply lost."""
    read: list[Any] = []

    async def reads(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 an ASGI app
        read.append(await receive())
        await answers(scope, receive, send)

    async with serving(reads) as (server, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"\x16\x03\x01\r\n")
        await eventually(lambda: any(one.cycle for one in server.server_state.connections))  # type: ignore[union-attr]
        assert [] == read
        writer.write(b"more")
        assert (await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)).startswith(b"HTTP/1.1 200")
        assert [{"type": "http.request", "body": b"", "more_body": True}] == read
        writer.close()


async def test_a_kept_connection_is_no_longer_idle_when_its_next_request_begins() -> None:
    """Or it would be closed while a head is on its way."""
    async with serving(answers) as (server, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(HEAD % 0)
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        (connection,) = server.server_state.connections
        assert isinstance(connection, BoundedHttpProtocol)
        assert connection.timeout_keep_alive_task is not None
        writer.write(b"POST ")
        await eventually(lambda: connection._framer.waiting_bytes > 0)
        assert connection.timeout_keep_alive_task is None
        writer.transport.abort()


async def test_a_reply_that_has_begun_is_cut_off_where_the_request_turns_bad() -> None:
    """A second reply would be read as the rest of the first one."""
    go = asyncio.Event()

    async def begins(_scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 an ASGI app
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"500")]})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        go.set()
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(begins) as (_, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await go.wait()
            writer.write(b"zz\r\n")
            assert (await reader.read()).endswith(b"\r\n\r\nbegun")
        writer.close()
