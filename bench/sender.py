"""A closed loop on raw connections: each sends its next request as soon as it is answered.

An HTTP client costs more than the servers measured, so requests are bytes made beforehand, but for their id, and of an
answer only its status and its length are looked at.
"""

import asyncio
import itertools
import random
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.records import body_of

# All ids are as long, so that one Content-Length fits every request.
FIRST_ID = 10**18

POLL_SECONDS = 0.05

_length = re.compile(rb"content-length: (\d+)", re.IGNORECASE).search


def post(path: str, player: str, token: str, body: bytes) -> bytes:
    """A request as bytes. X-Player is for a server that knows no tokens."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nX-Player: {player}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def requests(tokens: Mapping[str, str]) -> Iterator[bytes]:
    """Endless events.record requests, of each player in turn, each with a different id."""
    chance = random.Random(1)  # noqa: S311 a benchmark, no secret
    now = time.time_ns() // 1_000_000
    halves = []
    for player, token in tokens.items():
        body, _ = body_of(FIRST_ID, now, chance)
        before, after = post("/games/v1/events", player, token, body).split(b"%d" % FIRST_ID)
        halves.append((before, after))
    for request_id, (before, after) in zip(itertools.count(FIRST_ID), itertools.cycle(halves), strict=False):
        yield before + b"%d" % request_id + after


@dataclass(slots=True)
class Count:
    """What has come back so far."""

    answered: int = 0
    wrong: bytes = b""


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, todo: Iterator[bytes], count: Count) -> None:
        self._todo = todo
        self._count = count
        self._got = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of a stream
        self._transport = transport
        self._send()

    def _send(self) -> None:
        if request := next(self._todo, None):
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        length = _length(head)
        if not (end and length and len(body) >= int(length[1])):
            return
        if not head.startswith(b"HTTP/1.1 200") or b"RECORD_RATE_HIGH" in body:
            self._count.wrong = self._got
        self._count.answered += 1
        self._got = b""
        self._send()

    def close(self) -> None:
        self._transport.abort()


@dataclass(frozen=True, slots=True)
class Sent:
    """What a while of sending brought: answers, and how much of one core the sender took for them."""

    answered: int
    seconds: float
    sender_share: float


class ClosedLoop:
    """So many connections to one server."""

    def __init__(self, port: int, todo: Iterator[bytes]) -> None:
        self._port = port
        self._todo = todo
        self._count = Count()
        self._connections: list[Connection] = []

    async def start(self, host: str, connections: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, made = await loop.create_connection(lambda: Connection(self._todo, self._count), host, self._port)
            self._connections.append(made)

    async def during(self, seconds: float) -> Sent:
        """Go on for a while. Every answer must be a good one."""
        before, since, cpu = self._count.answered, time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        took = time.perf_counter() - since
        assert not self._count.wrong, self._count.wrong
        return Sent(self._count.answered - before, took, (time.process_time() - cpu) / took)

    async def until(self, answered: int, seconds: float) -> None:
        """Go on until so many are answered, and well. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self._count.answered < answered:
                await asyncio.sleep(POLL_SECONDS)
                assert not self._count.wrong, self._count.wrong

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
