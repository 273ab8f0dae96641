"""Whole bodies and replies (serving/http/whole.py): what a client gets is what ASGI's messages make of it."""

import asyncio
import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from uvicorn.server import ServerState

from serving.http import protocol
from serving.http.connections import Connections
from serving.http.protocol import BoundedHttpProtocol, server_config
from serving.http.request import Asgi
from serving.http.whole import whole_messages
from tests.consumer.parts import eventually
from tests.ingress.rig import RECORD, Rig, batch, period, token, update

BODY = batch(period(update()))


def request(
    method: str = "POST", path: str = RECORD, body: bytes = BODY, headers: Mapping[str, str] | None = None
) -> bytes:
    """With a good token, unless another is given."""
    sent = {"Host": "x", "Authorization": f"Bearer {token()}", "X-Request-Id": "one", "Content-Length": str(len(body))}
    sent |= headers or {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


class Wire(asyncio.Transport):
    """The other end of a connection: what was written to it, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 80), "sockname": ("192.0.2.2", 80)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:  # noqa: ANN401 any bytes
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def told(app: Asgi, parts: Sequence[bytes]) -> tuple[bytes, bool]:
    """All that one connection answers, and whether it was closed."""
    config = server_config(app, Connections(10, None), 75, 1)
    config.load()
    make: Any = config.http_protocol_class
    state = ServerState()
    wire, connection = Wire(), make(config=config, server_state=state, app_state={})
    assert isinstance(connection, BoundedHttpProtocol)
    connection.connection_made(wire)
    for part in parts:
        connection.data_received(part)
        # A body whose rest is missing waits; everything else is answered.
        await eventually(lambda: not state.tasks or connection.cycle.more_body)
    await eventually(lambda: not state.tasks)
    found = wire.written, wire.closed
    connection.connection_lost(None)
    return found


@contextmanager
def message_by_message() -> Iterator[None]:
    """The server offers nothing but ASGI's messages."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(protocol, "offering", lambda _messages: {})
        yield


def comparable(answers: bytes) -> bytes:
    """Without what no two answers share: how long it took, and when the receipt was issued."""
    return re.sub(rb"(?:server-timing|tallymill-receipt): [^\r]*", b"-", answers)


CASES: dict[str, Sequence[bytes]] = {
    "counted": [request()],
    "again": [request(), request()],
    "in two parts": [request()[:-9], request()[-9:]],
    "gzip": [request(body=gzip.compress(BODY, mtime=0), headers={"Content-Encoding": "gzip"})],
    "chunked": [
        request(headers={"Transfer-Encoding": "chunked"}, body=b"").replace(b"Content-Length: 0\r\n", b"")
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    ],
    "no token": [request(headers={"Authorization": "Bearer no"})],
    "no JSON": [request(body=b"{")],
    "too large": [request(body=b" " * (1 << 20) + BODY)],
    "closes": [request(headers={"Connection": "close"})],
    "expects": [request(headers={"Expect": "100-continue"})],
    "head": [request("HEAD", "/v1/limits", b"")],
    "no body": [request("GET", "/v1/limits", b"")],
    "not there": [request("GET", "/v2", b"")],
    "a large reply": [request("GET", "/openapi.json", b"", {"Accept-Encoding": "gzip"})],
    "a pool": [request(path="/AddEventBatch", body=b'{"eventData":[{"Timestamp":"1790000000","Event":"A"}]}')],
    "any case": [request(path="/v1/addeventbatch/", body=b'{"eventData":[]}')],
    "pipelined": [request() + request("GET", "/v1/limits", b"")],
}


@pytest.mark.parametrize("case", CASES)
async def test_the_answer_is_that_of_asgis_messages(case: str) -> None:
    """Byte for byte, and the connection is kept or closed alike."""
    with message_by_message():
        expected, was_closed = await told(Rig(apply_seconds=0).app, CASES[case])
    found, is_closed = await told(Rig(apply_seconds=0).app, CASES[case])
    assert expected.startswith(b"HTTP/1.1 ")
    assert (comparable(expected), was_closed) == (comparable(found), is_closed)


async def test_what_is_answered_keeps_no_connection() -> None:
    """A scope that an app keeps does not refer to the connection any more."""
    kept: list[Any] = []
    rig = Rig(apply_seconds=0)

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 as ASGI has it
        kept.append(scope)
        assert whole_messages(scope) is not None
        await rig.app(scope, receive, send)

    await told(app, [request()])
    assert [None] == [whole_messages(scope) for scope in kept]


async def test_a_header_with_a_line_break_is_never_sent() -> None:
    """Left to the server's own check."""
    answers: list[bool] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401 as ASGI has it
        messages = whole_messages(scope)
        assert messages is not None
        answers.extend(messages.answer(scope, 200, [(b"a", value)], b"") for value in (b"1\r\nb: 2", b"1\n2", b"1\r2"))

    written, _ = await told(app, [request()])
    assert [False] * 3 == answers
    assert b"500 Internal Server Error" in written


async def test_a_body_is_taken_once_and_a_reply_sent_once() -> None:
    """What comes after is what ASGI says: the end of the connection, and nothing more to send."""
    found: list[Any] = []

    async def app(scope: Any, receive: Any, _send: Any) -> None:  # noqa: ANN401 as ASGI has it
        messages = whole_messages(scope)
        assert messages is not None
        found.append(messages.body_of(scope))
        found.append(messages.answer(scope, 204, [], b""))
        found.append(messages.body_of(scope))
        found.append(messages.answer(scope, 204, [], b""))
        found.append((await receive())["type"])

    await told(app, [request()])
    assert [BODY, True, None, False, "http.disconnect"] == found


async def test_no_reply_is_written_at_once_while_the_client_reads_none() -> None:
    """Or replies to requests that are sent without a pause would fill the memory."""
    answers: list[bool] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401 as ASGI has it
        connection = whole_messages(scope)
        assert isinstance(connection, BoundedHttpProtocol)
        connection.pause_writing()
        answers.append(connection.answer(scope, 204, [], b""))
        connection.resume_writing()
        answers.append(connection.answer(scope, 204, [], b""))

    await told(app, [request()])
    assert [False, True] == answers


async def test_a_request_that_was_answered_takes_nothing_of_the_next_one() -> None:
    """Neither its body nor its reply."""
    scopes: list[Any] = []
    found: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401 as ASGI has it
        connection = whole_messages(scope)
        assert connection is not None
        for earlier in scopes:
            found.append(connection.body_of(earlier))
            found.append(connection.answer(earlier, 204, [], b""))
        scopes.append(scope)
        found.append(connection.body_of(scope))
        found.append(connection.answer(scope, 204, [], b""))

    await told(app, [request() + request()])
    assert [BODY, True, None, False, BODY, True] == found
