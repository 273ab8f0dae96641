"""B9 on real sockets: bytes that are no request are answered, bounded, counted, and never read as a request."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from ingress.config import IngressSettings
from ingress.http.refused_causes import CAUSES
from ingress.server import server_config
from schemas.analytics.sessions import MAX_SESSION_BODY_BYTES
from serving.http.framing import MAX_HEAD_BYTES
from serving.http.life import Server, listening
from tests.clients.programs import program
from tests.ingress.rig import RECORD, Rig, batch, period, token, update
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[3]
GOOD = f"Authorization: Bearer {token()}"

Address = tuple[str, int]


class Client:
    """A socket that speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, address: Address) -> "Client":
        return cls(*await asyncio.open_connection(*address[:2]))

    def send(self, *lines: str, body: bytes = b"") -> None:
        self._writer.write("\r\n".join((*lines, "", "")).encode("latin-1") + body)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def reply(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next reply."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            return int(first.split()[1]), headers, await self._reader.readexactly(int(headers["content-length"]))

    async def ends(self) -> bytes:
        """What comes until the other side closes."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Serving:
    """The in-memory ingress on a socket."""

    def __init__(self, **settings: object) -> None:
        self.rig = Rig(apply_seconds=0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: Address = self._listener.getsockname()
        made = IngressSettings.model_validate(settings)
        self._server = Server(server_config(made, self.rig.app, self.rig.shared.metrics))
        self._task: asyncio.Task[None] | None = None
        self._clients: list[Client] = []

    async def client(self) -> Client:
        """One that is closed at the end."""
        client = await Client.of(self.address)
        self._clients.append(client)
        return client

    async def __aenter__(self) -> Self:
        await self.rig.games.lineage.read()
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.close()
        self._server.force_exit = self._server.should_exit = True
        assert self._task
        await self._task


@pytest.fixture
def soon_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a refused client still sends is read for a shorter while: a test waits for its end."""
    monkeypatch.setattr("serving.http.whole.DISCARD_SECONDS", 0.2)


def post(body: bytes, *more: str, path: str = RECORD, authorization: str = GOOD) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: x", authorization, f"Content-Length: {len(body)}", *more, "", "")
    return "\r\n".join(lines).encode() + body


def counting(request_id: str = "7") -> bytes:
    return batch(period(update()), request_id=request_id)


@pytest.mark.usefixtures("soon_discarded")
@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (f"GET {RECORD} HTTP/1.1\r\nHost: x\r\nX: {'y' * MAX_HEAD_BYTES}\r\n\r\n", 431, "requestHeaderFieldsTooLarge"),
        (f"GET {RECORD} HTTP/1.1\r\nHost: x\r\n" + "X: y\r\n" * 200, 431, None),
        (f"GET /{'x' * MAX_HEAD_BYTES} HTTP/1.1\r\n", 431, "requestHeaderFieldsTooLarge"),
        (f"GET {RECORD} HTTP/1.1\r\n\r\n", 400, "badRequest"),
        (f"GET {RECORD} HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "badRequest"),
        (f"GET {RECORD} HTTP/2.0\r\nHost: x\r\n\r\n", 505, "httpVersionNotSupported"),
        ("\x16\x03\x01\r\n", 400, "badRequest"),
        (f"POST {RECORD} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "badRequest"),
        (f"POST {RECORD} HTTP/1.1\r\nHost: x\r\n{GOOD}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "badRequest"),
    ],
)
async def test_b9_what_is_no_request_is_told_so_like_all_else(data: str, status: int, reason: str | None) -> None:
    """Google's error body, a request id, no-store; counted; the connection ends."""
    async with Serving() as serving:
        client = await serving.client()
        client.write(data.encode("latin-1"))
        found, headers, body = await client.reply()
        assert (found, headers["connection"], headers["cache-control"]) == (status, "close", "no-store")
        assert headers["x-request-id"]
        error = json.loads(body)["error"]
        assert error["code"] == status
        if reason:
            assert error["errors"][0]["reason"] == reason
        assert await client.ends() == b""
        names = {400: "BAD_HTTP", 431: "HEAD_LARGE", 505: "HTTP_VERSION"}
        counted = [serving.rig.metric("refused_total", api=api, cause=names[status]) for api in CAUSES]
        assert sorted(number or 0 for number in counted) == [0, 0, 1]
        assert serving.rig.topic.records == []


@pytest.mark.usefixtures("soon_discarded")
async def test_b9_a_body_that_is_no_longer_http_ends_its_own_request_at_once() -> None:
    """It gives back the bytes that it holds, and does not write a second reply when the body is late."""
    async with Serving() as serving:
        client = await serving.client()
        lines = (f"POST {RECORD} HTTP/1.1", "Host: x", GOOD, "Transfer-Encoding: chunked")
        client.send(*lines, body=b"3\r\n{  \r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not held(serving):  # noqa: ASYNC110 the budget has no event
                await asyncio.sleep(0.001)
        client.write(b"zz\r\n")
        assert 400 == (await client.reply())[0]
        assert b"" == await client.ends()
        assert (1, 0) == (serving.rig.metric("requests_total", route=RECORD, code="499"), held(serving))


async def test_b8_a_body_that_has_come_whole_is_bounded_too() -> None:
    """Without an announced size, and with less than the server holds before it stops to read."""
    async with Serving() as serving:
        for size, status in ((MAX_SESSION_BODY_BYTES, 200), (MAX_SESSION_BODY_BYTES + 1, 413)):
            client = await serving.client()
            body = b'{"app": "demo"}'.ljust(size)
            chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            client.send("POST /v1/sessions HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", body=chunk)
            assert status == (await client.reply())[0]


def held(serving: Serving) -> int:
    return serving.rig.shared.bodies.held_bytes


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        ("POST /AddEvent HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400, 1),
        (f"POST /v1/AddEventBatch HTTP/1.1\r\nHost: x\r\nX: {'y' * MAX_HEAD_BYTES}\r\n", 431, 5),
        ("POST /AddEvent HTTP/3.0\r\n\r\n", 505, 1),
    ],
)
async def test_b9_the_analytics_api_says_it_in_its_own_shape(data: str, status: int, code: int) -> None:
    """The path is known by then."""
    async with Serving() as serving:
        client = await serving.client()
        client.write(data.encode())
        found, _, body = await client.reply()
        assert (found, json.loads(body)["StatusCode"], json.loads(body)["Content"]) == (status, code, False)


async def test_answer_head_large() -> None:
    """The rest of it is discarded, so that a client that sends a hundred MiB can read the answer."""
    async with Serving() as serving:
        client = await serving.client()
        client.write(f"GET {RECORD} HTTP/1.1\r\nHost: x\r\n".encode() + b"X: y\r\n" * 500_000)
        assert (await client.reply())[0] == 431
        assert serving.rig.metric("requests_total", route=RECORD, code="431") == 1


async def test_answer_bad_http() -> None:
    """Also where the path is not known."""
    async with Serving() as serving:
        client = await serving.client()
        client.write(b"nonsense\r\n\r\n")
        assert (await client.reply())[0] == 400
        assert serving.rig.metric("requests_total", route="other", code="400") == 1


async def test_answer_analytics_head_large() -> None:
    """StatusCode 5, Severity 3."""
    async with Serving() as serving:
        client = await serving.client()
        client.write(b"POST /AddEvent HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 101)
        status, _, body = await client.reply()
        assert (status, json.loads(body)["StatusCode"], json.loads(body)["Severity"]) == (431, 5, 3)


async def test_answer_head_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that arrives slowly is timed as a whole. A silent connection is closed without an answer."""
    monkeypatch.setattr("serving.http.protocol.HEAD_SECONDS", 0.2)
    async with Serving() as serving:
        silent, dripping = await serving.client(), await serving.client()
        drips = asyncio.create_task(drip(dripping))
        assert await silent.ends() == b""
        assert (await dripping.reply())[0] == 408
        drips.cancel()
        assert serving.rig.metric("connections_closed_total", cause="silent") == 1


async def drip(client: Client) -> None:
    """A byte now and then, of a head that never ends."""
    client.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
    while True:
        await asyncio.sleep(0.02)
        client.write(b"y")


async def test_b9_a_head_that_drips_in_on_a_kept_connection_is_timed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first byte behind a reply begins it."""
    async with Serving() as serving:
        client = await serving.client()
        client.write(post(counting()))
        assert (await client.reply())[0] == 200
        monkeypatch.setattr("serving.http.protocol.HEAD_SECONDS", 0.2)
        client.write(b"GET / HT")
        assert (await client.reply())[0] == 408


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "other/1"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_b9_an_upgrade_is_ignored_and_the_body_counts(protocol: str, chunked: bool) -> None:  # noqa: FBT001
    """As curl --http2 and every JVM client send it. The next request on the connection is read correctly."""
    async with Serving() as serving:
        client = await serving.client()
        for number in ("7", "8"):
            body = counting(number)
            asked = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABkAAQ")
            framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
            sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
            client.send(f"POST {RECORD} HTTP/1.1", "Host: x", GOOD, framing, *asked, body=sent)
            assert (await client.reply())[0] == 200
        assert [counting("7"), counting("8")] == [record.body for record in serving.rig.topic.records]


@pytest.mark.usefixtures("soon_discarded")
@pytest.mark.parametrize("expect", [("Expect: 100-continue",), ()])
@pytest.mark.parametrize(
    ("path", "authorization", "status"), [(RECORD, "X: y", 401), ("/nowhere", GOOD, 404), ("/livez", "X: y", 405)]
)
async def test_b9_a_refusal_before_the_body_ends_the_connection(
    expect: tuple[str, ...], path: str, authorization: str, status: int
) -> None:
    """Otherwise the body would be read as the next request. A client that waits for 100 Continue does not get it."""
    async with Serving() as serving:
        client = await serving.client()
        length = "Content-Length: 50"
        client.send(f"POST {path} HTTP/1.1", "Host: x", authorization, length, *expect)
        found, headers, _ = await client.reply()
        assert (found, headers["connection"]) == (status, "close")
        client.write(
            b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n".ljust(50, b" ") + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert await client.ends() == b""


async def test_b9_requests_that_follow_each_other_at_once_are_answered_in_their_order() -> None:
    """One at a time, whatever waits."""
    async with Serving() as serving:
        client = await serving.client()
        client.write(post(counting("7")) + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + post(counting("8")) + b"bad\r\n")
        assert [200, 200, 200, 400] == [(await client.reply())[0] for _ in range(4)]
        assert [counting("7"), counting("8")] == [record.body for record in serving.rig.topic.records]


async def test_answer_full() -> None:
    """Every place is taken by requests that are under way: others come again later, and probes are answered."""
    async with Serving(max_connections=3) as serving:
        busy = [await serving.client() for _ in range(3)]
        for client in busy:
            client.send(f"POST {RECORD} HTTP/1.1", "Host: x", GOOD, "Content-Length: 100")
        await until(lambda: serving.rig.metric("connections") == 3)
        client = await serving.client()
        client.write(post(counting()))
        status, headers, _ = await client.reply()
        assert (status, headers["connection"], int(headers["retry-after"]) >= 1) == (503, "close", True)
        probe = await serving.client()
        probe.send("GET /livez HTTP/1.1", "Host: x")
        assert (await probe.reply())[0] == 200


async def test_answer_analytics_full() -> None:
    """StatusCode 7, Severity 2."""
    async with Serving(max_connections=1) as serving:
        busy = await serving.client()
        busy.send(f"POST {RECORD} HTTP/1.1", "Host: x", GOOD, "Content-Length: 100")
        await until(lambda: serving.rig.metric("connections") == 1)
        client = await serving.client()
        client.write(post(b"{}", path="/AddEvent"))
        status, _, body = await client.reply()
        assert (status, json.loads(body)["StatusCode"], json.loads(body)["Severity"]) == (503, 7, 2)


async def test_b9_an_address_has_so_many_connections_at_most() -> None:
    """Those beyond are closed at once, and counted."""
    async with Serving(max_connections_per_address=2) as serving:
        first, second = [await serving.client() for _ in range(2)]
        await until(lambda: serving.rig.metric("connections") == 2)
        assert await (await serving.client()).ends() == b""
        assert serving.rig.metric("connections_closed_total", cause="address") == 1
        for client in (first, second):
            client.send("GET /livez HTTP/1.1", "Host: x")
            assert (await client.reply())[0] == 200


async def test_b9_a_client_that_reads_no_reply_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as more waits for it than the system's buffers hold."""
    monkeypatch.setattr("serving.http.protocol.UNREAD_SECONDS", 0.2)
    async with Serving() as serving:
        with socket.create_connection(serving.address[:2]) as client:
            client.setblocking(False)  # noqa: FBT003 the socket's own
            asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000
            await asyncio.get_running_loop().sock_sendall(client, asked)
            await until(lambda: serving.rig.metric("connections_closed_total", cause="unread") == 1)


@pytest.mark.parametrize("host", ["::", "0.0.0.0"])  # noqa: S104 it is asked on loopback alone
def test_b9_every_address_is_that_of_both_protocols(host: str) -> None:
    """`::` served IPv6 alone."""
    with listening(host, 0) as listener:
        port = listener.getsockname()[1]
        for address in ("127.0.0.1", "::1") if host == "::" and socket.has_dualstack_ipv6() else ("127.0.0.1",):
            socket.create_connection((address, port), PATIENCE_SECONDS).close()


async def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "it never came"
        await asyncio.sleep(0.005)


@contextmanager
def process_with(files: int) -> Iterator[Address]:
    """The in-memory ingress in a process that may open so many files."""
    command = [sys.executable, "-m", "tests.ingress.serve_rig", str(files)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = next(line.split()[1] for line in process.stdout if line.startswith("port "))
            yield ("127.0.0.1", int(port))
        finally:
            process.kill()


async def test_b9_silent_connections_keep_nobody_out() -> None:
    """Twice as many as the process may open files: a new client and a probe are still answered."""
    with process_with(files=256) as address:
        silent = [await Client.of(address) for _ in range(512)]
        probes = [await Client.of(address) for _ in range(2)]
        for probe, path in zip(probes, ("/livez", "/metrics"), strict=True):
            probe.send(f"GET {path} HTTP/1.1", "Host: x")
            assert (await probe.reply())[0] == 200
        client = await Client.of(address)
        client.send("GET /v1/limits HTTP/1.1", "Host: x")
        assert (await client.reply())[0] == 200
        for one in (*silent, *probes, client):
            await one.close()


@pytest.mark.slow
async def test_b9_a_batch_of_curl_that_asks_for_http2_counts() -> None:
    """The real client: it was answered 400, and the body was lost."""
    async with Serving() as serving:
        url = f"http://127.0.0.1:{serving.address[1]}{RECORD}"
        told = ("-s", "-o", "/dev/null", "-w", "%{http_code} %{http_version}")
        sent = ("-H", GOOD, "-H", "Content-Type: application/json", "--data-binary", counting().decode())
        curl = await asyncio.create_subprocess_exec(
            program("curl"), "--http2", *told, *sent, url, stdout=asyncio.subprocess.PIPE
        )
        answer, _ = await asyncio.wait_for(curl.communicate(), PATIENCE_SECONDS)
        assert answer == b"200 1.1"
        assert [counting()] == [record.body for record in serving.rig.topic.records]


@pytest.mark.usefixtures("soon_discarded")
@pytest.mark.parametrize("method", ["QUERY", "get", "PROPFIND", "X"])
@pytest.mark.parametrize(("path", "status"), [(RECORD, 405), ("/nowhere", 404), ("/AddEvent", 405)])
async def test_b9_a_method_that_nobody_takes_is_405_like_any_other(method: str, path: str, status: int) -> None:
    """The parser doesn't know it. The bytes after its head are not read as a request."""
    async with Serving() as serving:
        client = await serving.client()
        client.send(f"{method} {path} HTTP/1.1", "Host: x", "Content-Length: 3", body=b"abc")
        found, headers, _ = await client.reply()
        assert (found, headers["connection"], "allow" in headers) == (status, "close", status == 405)
        assert await client.ends() == b""
