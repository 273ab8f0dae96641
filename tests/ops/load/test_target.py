"""What a load refuses to start with: a wrong address, an unavailable ingress, options that send nothing."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import AsyncMock

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey

from ops.config import DATA_VARIABLE, PREFIX
from ops.connect import NotReachable
from ops.guard import guarded
from ops.http_words import failure, refusal_words
from ops.load import command, target
from ops.load.command import load
from ops.load.plan import LoadOptions, wrong_load
from ops.load.target import ingress_problem, wrong_address
from ops.local.settings import to_toml
from ops.tokens.issuer import ensure_issuer

TLS_FAILED = "TLS failed: the certificate is not trusted, or the port does not use TLS"
LOAD = LoadOptions(rate=100, seconds=10, players=10, duplicates=0, seed=1)


@pytest.mark.parametrize(
    "url",
    [
        *("notaurl", "", "/", "http://", "http:///path", "127.0.0.1:8080", "localhost:8080", "ftp://a.example", "//a"),
        *("http://a b", "http://a:port", "http://a:99999", "http://[::1", "http://a/?b=c", "http://a/#b", "file:///a"),
    ],
)
def test_an_address_without_scheme_or_host_is_refused_at_once(url: str) -> None:
    """Before any server is asked."""
    assert f"--url {url}: " in wrong_address(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://a.example", "http://[::1]:80/", "http://a/prefix"])
def test_an_ingress_s_address_is_taken(url: str) -> None:
    """Behind a path too."""
    assert not wrong_address(url)


@pytest.mark.parametrize(
    ("rate", "seconds", "duplicates", "words"),
    [(0.1, 0.1, 0, "less than one request"), (float("nan"), 1, 0, "numbers"), (1, 1, float("nan"), "numbers")],
)
def test_options_that_send_nothing_are_no_load(rate: float, seconds: float, duplicates: float, words: str) -> None:
    """`nan` passes every range."""
    assert words in wrong_load(LoadOptions(rate, seconds, 10, duplicates, 1))
    assert not wrong_load(LOAD)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out itself, without its seconds."""
    assert 1 <= target.ANSWER_SECONDS <= 10, "an ingress that starts has its moment, a frozen one no more"
    monkeypatch.setattr(target, "ANSWER_SECONDS", 0.2)


@asynccontextmanager
async def answering(**replies: tuple[int, object]) -> AsyncIterator[str]:
    """A server that answers these routes (`_` for `/`) so, and 404 else."""

    async def answer(request: web.Request) -> web.Response:
        status, body = replies.get(request.path.strip("/").replace("/", "_"), (404, {}))
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ({"readyz": (200, {})}, ""),
        ({"v1_limits": (200, {})}, ""),
        ({"readyz": (503, {"missing": ["kafka", "keys"]})}, "is not ready: missing: kafka, keys"),
        ({"readyz": (503, [])}, "is not ready"),
        ({}, "GET /v1/limits returned HTTP 404"),
        ({"readyz": (302, {}), "v1_limits": (502, {})}, "GET /v1/limits returned HTTP 502"),
    ],
)
async def test_an_ingress_is_asked_whether_it_is_one(replies: dict[str, tuple[int, object]], words: str) -> None:
    """Ready, or at least there behind a gateway that passes the API alone."""
    async with answering(**replies) as url:
        problem = await ingress_problem(url)
    assert words in problem if words else not problem


async def test_an_ingress_that_is_away_is_told_with_the_reason() -> None:
    """In plain words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert f"The ingress at {url} is unavailable: connection refused" == await ingress_problem(url)
    assert "https" in (told := await ingress_problem(url.replace("http", "https")))
    assert told.endswith("connection refused")
    assert "Error" not in await ingress_problem("http://no-such-host.invalid")


@asynccontextmanager
async def speaking(reply: bytes | None) -> AsyncIterator[str]:
    """A port that sends this to each connection and closes it. None: it sends nothing."""
    over = asyncio.Event()

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reply is None:
            await over.wait()
        else:
            writer.write(reply)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("scheme", "reply", "words"),
    [
        ("http", None, "timed out"),
        ("http", b"", "connection closed without an answer"),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "connection closed without an answer"),
        ("http", b"SSH-2.0-OpenSSH\r\n", "no HTTP answer"),
        ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "TLS failed: the certificate is not trusted"),
    ],
)
async def test_a_port_where_no_ingress_is_has_words_of_its_own(scheme: str, reply: bytes | None, words: str) -> None:
    """A port that hangs, that closes connections, that does not speak HTTP, or not TLS."""
    async with speaking(reply) as address:
        url = f"{scheme}://{address}"
        async with asyncio.timeout(100 * target.ANSWER_SECONDS):
            problem = await ingress_problem(url)
    assert problem.startswith(f"The ingress at {url} is unavailable: {words}")


PLACE = ConnectionKey("a", 1, is_ssl=False, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "timed out"),
        (aiohttp.ServerTimeoutError(), "timed out"),
        (aiohttp.ClientConnectorError(PLACE, ConnectionRefusedError(errno.ECONNREFUSED, "x")), "connection refused"),
        (aiohttp.ClientConnectorError(PLACE, OSError(errno.EHOSTUNREACH, "x")), "no connection"),
        (aiohttp.ClientConnectorDNSError(PLACE, socket.gaierror(-2, "x")), "DNS does not know the host name"),
        (aiohttp.ClientConnectorSSLError(PLACE, ssl.SSLError(1, "x")), TLS_FAILED),
        (aiohttp.ClientConnectorCertificateError(PLACE, ssl.CertificateError("x")), TLS_FAILED),
        (aiohttp.ServerDisconnectedError(), "connection closed without an answer"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "x"), "connection closed without an answer"),
        (aiohttp.ClientPayloadError("x"), "connection closed without an answer"),
        (ValueError("x"), "no HTTP answer"),
    ],
)
def test_why_a_request_had_no_answer_is_told_in_plain_words(error: Exception, words: str) -> None:
    """The most special cause of each of the client's errors."""
    assert words == failure(error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"error": {"message": "no such app"}}', "no such app"),
        ('{"StatusMessage": "no such app"}', "no such app"),
        *((text, "") for text in ('{"error": {"message": 7}}', '{"error": 7}', "[]", "{}", "<html>")),
    ],
)
def test_the_message_of_a_refusal_is_told_if_there_is_one(text: str, words: str) -> None:
    """Of either API; a gateway has its own."""
    assert words == refusal_words(text)


async def test_a_host_that_nobody_knows_is_told() -> None:
    url = "http://no-such-host.invalid:1"
    assert f"The ingress at {url} is unavailable: DNS does not know the host name" == await ingress_problem(url)


async def test_a_redirect_is_not_followed() -> None:
    """A login page that answers 200 is no ingress, and requests would be sent to another place."""
    async with answering(login=(200, {})) as login:
        reply = f"HTTP/1.1 302 Found\r\nLocation: {login}/login\r\nContent-Length: 0\r\n\r\n"
        async with speaking(reply.encode()) as address:
            assert "GET /v1/limits returned HTTP 302" in await ingress_problem(f"http://{address}")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    """A system that does not run, but whose tokens can be signed."""
    for name in tuple(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    tables: dict[str, dict[str, object]] = {
        "mongodb": {"uri": f"mongodb://127.0.0.1:{port}"},
        "ingress": {"port": port},
        "tokens": dict(ensure_issuer(tmp_path)),
    }
    (tmp_path / "settings.toml").write_text(to_toml(tables))
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    return tables


@pytest.mark.parametrize(
    ("url", "rate", "status", "words"),
    [
        ("notaurl", 100.0, 2, "--url notaurl: must be a URL such as"),
        ("notaurl", float("nan"), 2, "must be finite numbers"),
        ("", 100.0, 2, "--url : must be a URL such as"),
        (None, 100.0, 1, "The ingress at http://127.0.0.1:"),
    ],
)
def test_a_load_that_cannot_be_sent_is_refused(
    settings: dict[str, dict[str, object]],
    capsys: pytest.CaptureFixture[str],
    url: str | None,
    rate: float,
    status: int,
    words: str,
) -> None:
    """At once, by name, and without a report that could be taken for one."""
    assert settings
    options = LoadOptions(rate, 10, 10, 0, 1)
    assert status == guarded(load(options, url, "games", as_json=True))
    told = capsys.readouterr()
    assert not told.out
    assert words in told.err


def test_nothing_is_sent_where_no_ingress_answers(
    settings: dict[str, dict[str, object]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the database does. A slash at the end of the address is none of its routes."""
    assert settings
    asked: list[str] = []

    async def problem(url: str) -> str:
        asked.append(url)
        return f"the ingress at {url}: gone"

    @asynccontextmanager
    async def answering_database(_settings: object) -> AsyncIterator[AsyncMock]:
        yield AsyncMock()

    monkeypatch.setattr(command, "ingress_problem", problem)
    monkeypatch.setattr(command, "database", answering_database)
    monkeypatch.setattr(command, "_load_batches", lambda *_, **__: pytest.fail("something is sent"))
    assert 1 == guarded(load(LOAD, "http://a.example/", "games", as_json=True))
    assert ["http://a.example"] == asked
    told = capsys.readouterr()
    assert ("", "the ingress at http://a.example: gone") == (told.out, told.err.strip())


def test_nothing_is_sent_where_the_database_does_not_answer(
    settings: dict[str, dict[str, object]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was counted could not be read."""
    assert settings

    async def no_problem(_url: str) -> str:
        return ""

    @asynccontextmanager
    async def silent_database(_settings: object) -> AsyncIterator[AsyncMock]:
        db = AsyncMock()
        db.client.admin.command.side_effect = NotReachable("MongoDB at a:1: no answer in time")
        yield db

    monkeypatch.setattr(command, "ingress_problem", no_problem)
    monkeypatch.setattr(command, "database", silent_database)
    monkeypatch.setattr(command, "_load_batches", lambda *_, **__: pytest.fail("something is sent"))
    assert 1 == guarded(load(LOAD, "http://a.example", "games", as_json=True))
    assert "MongoDB at a:1: no answer in time" in capsys.readouterr().err


WELL: dict[str, object] = {"differences": [], "unknown": 0, "refused": {}, "nothing_accepted": ""}


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ({}, 0),
        ({"differences": ["ann: 1 instead of 2"]}, 1),
        ({"unknown": 1}, 1),
        ({"refused": {"HTTP 401": 3}}, 1),
        ({"nothing_accepted": "nothing was accepted: HTTP 401"}, 1),
    ],
)
def test_a_load_of_which_anything_is_wrong_fails(
    found: dict[str, object], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a message beside the report says that nothing was accepted."""
    assert status == command._print({**WELL, **found}, as_json=True)
    assert str(found.get("nothing_accepted", "")) == capsys.readouterr().err.strip()


def test_without_the_issuer_s_key_a_load_is_refused(
    settings: dict[str, dict[str, object]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Not within its first request."""
    del settings["tokens"]
    (tmp_path / "settings.toml").write_text(to_toml(settings))
    assert 2 == guarded(load(LOAD, None, "games", as_json=True))
    assert "tokens.private_key: required" in capsys.readouterr().err
