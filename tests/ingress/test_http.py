"""What only a real HTTP connection shows: uvicorn with our settings, in-memory Kafka and MongoDB behind it."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from ingress.config import IngressSettings
from ingress.server import _Server, _server_config
from tests.ingress.rig import RECORD, Rig, batch, period, token, update


@pytest.fixture
async def address(rig: Rig) -> AsyncIterator[tuple[str, int]]:
    """Where the rig listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(_server_config(IngressSettings(), rig.app))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield listener.getsockname()
    server.should_exit = True
    await serving


def head(length: int) -> bytes:
    lines = (f"POST {RECORD} HTTP/1.1", "Host: x", f"Authorization: Bearer {token()}", f"Content-Length: {length}")
    return "\r\n".join((*lines, "", "")).encode()


async def test_b1_a_client_that_sends_too_much_gets_to_read_why(address: tuple[str, int]) -> None:
    url = f"http://{address[0]}:{address[1]}{RECORD}"
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 100_000

    async with aiohttp.ClientSession() as session:
        for body in (io.BytesIO(b" " * 4_000_000), parts()):
            async with session.post(url, data=body, headers=headers) as response:
                assert (response.status, response.headers["Connection"]) == (413, "close")
                assert (await response.json())["error"]["errors"][0]["reason"] == "requestTooLarge"


async def test_b4_a_connection_is_kept_from_one_request_to_the_next(rig: Rig, address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    for number in ("1", "2", "3"):
        body = batch(period(update()), request_id=number)
        writer.write(head(len(body)) + body)
        reply = await reader.readuntil(b"\r\n\r\n")
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"connection: close" not in reply.lower()
        length = int(reply.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert (await reader.readexactly(length)).endswith(b"}")
    writer.close()
    assert len(rig.topic.records) == 3


@pytest.mark.slow
async def test_a_body_not_sent_in_time_is_408_and_the_end(address: tuple[str, int]) -> None:
    """The rig allows a second."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(head(100) + b"{")
    reply = await asyncio.wait_for(reader.read(), 10)
    assert reply.startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_b5_a_head_request_has_the_headers_and_no_body(address: tuple[str, int]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.head(f"http://{address[0]}:{address[1]}/v1/limits") as response,
    ):
        assert (response.status, await response.read()) == (200, b"")
        assert int(response.headers["Content-Length"]) > 0
