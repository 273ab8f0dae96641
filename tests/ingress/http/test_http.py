"""What only a real HTTP connection shows: uvicorn with our settings, in-memory Kafka and MongoDB behind it."""

import asyncio
import gzip
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from ingress.config import IngressSettings
from ingress.server import server_config
from serving.http.life import Server
from tests.ingress.rig import RECORD, Rig, batch, period, token, update
from tests.patience import PATIENCE_SECONDS


@asynccontextmanager
async def listening(rig: Rig) -> AsyncIterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(server_config(IngressSettings(), rig.app))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield listener.getsockname()
    server.should_exit = True
    await serving


@pytest.fixture
async def address(rig: Rig) -> AsyncIterator[tuple[str, int]]:
    """Where the rig listens."""
    async with listening(rig) as there:
        yield there


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


async def test_answer_body_late_ends_the_connection() -> None:
    """A part of it has come, the rest never does."""
    async with listening(Rig(body_seconds=0.05)) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head(100) + b"{")
        reply = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        assert reply.startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_b5_a_head_request_has_the_headers_and_no_body(address: tuple[str, int]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.head(f"http://{address[0]}:{address[1]}/v1/limits") as response,
    ):
        assert (response.status, await response.read()) == (200, b"")
        assert int(response.headers["Content-Length"]) > 0


async def test_g1_googles_own_client_sends_a_long_query_so(address: tuple[str, int]) -> None:
    """Past 2,048 characters it makes a POST with a form of any GET."""
    http, httplib2 = pytest.importorskip("googleapiclient.http"), pytest.importorskip("httplib2")
    url = f"http://{address[0]}:{address[1]}/v1/limits?alt=json&fields=max_body_bytes"
    connections = httplib2.Http(timeout=PATIENCE_SECONDS)
    short, long = [
        http.HttpRequest(connections, lambda _, content: json.loads(content), uri, headers={})
        for uri in (url, url + ",min_period_seconds" * 200)
    ]
    limits = [await asyncio.to_thread(request.execute) for request in (short, long)]
    connections.close()
    assert [["max_body_bytes"], ["max_body_bytes", "min_period_seconds"]] == [list(one) for one in limits]
    assert ("POST", "GET") == (long.method, long.headers["x-http-method-override"])


async def test_b3_a_body_encoded_and_in_chunks_counts(rig: Rig, address: tuple[str, int]) -> None:
    """And the connection continues after a damaged one."""
    url = f"http://{address[0]}:{address[1]}{RECORD}"
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = batch(period(update()))

    async def parts(encoded: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(encoded), 50):
            yield encoded[at : at + 50]

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        statuses = []
        for encoded in (gzip.compress(body)[:-1], b"x" * 300_000, gzip.compress(body)):
            async with session.post(url, data=parts(encoded), headers=headers, compress=False) as response:
                statuses.append(response.status)
    assert [400, 400, 200] == statuses
    assert [body] == [record.body for record in rig.topic.records]


async def test_b5_a_preflight_has_no_body_on_the_wire() -> None:
    """204 with a Content-Length would be one reply too many for some clients."""
    rig = Rig(cors_origins=["https://game.example"])
    headers = {"Origin": "https://game.example", "Access-Control-Request-Method": "POST"}
    async with listening(rig) as address, aiohttp.ClientSession() as session:
        async with session.options(f"http://{address[0]}:{address[1]}{RECORD}", headers=headers) as response:
            assert (204, b"") == (response.status, await response.read())
            assert {"Content-Length", "Transfer-Encoding"}.isdisjoint(response.headers)
        async with session.get(f"http://{address[0]}:{address[1]}/livez") as response:
            assert 200 == response.status
