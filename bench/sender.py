"""Raw connections that send events.record requests: as a closed loop, or at a fixed rate.

An HTTP client costs more than the servers measured. So requests are bytes made beforehand, but for their id, and of an
answer only its status, its length and the times that it states are read.
"""

import asyncio
import random
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bench.records import APP, Sums, body_of

# All ids are as long, so that one Content-Length fits every request.
FIRST_ID = 10**18

POLL_SECONDS = 0.05
GIVE_UP_SECONDS = 120
# How often an open loop looks for requests that are due.
TICK_SECONDS = 0.001

# The times in Server-Timing.
STATED = (b"accepted", b"visible")

_length = re.compile(rb"content-length: (\d+)", re.IGNORECASE).search
_times = re.compile(rb"(accepted|visible);dur=([0-9.]+)").findall


def post(path: str, player: str, token: str, body: bytes) -> bytes:
    """A request as bytes. X-Player is for a server that knows no tokens."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nX-Player: {player}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Requests:
    """Endless requests, of each player in turn, each with a different id."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        chance = random.Random(1)  # noqa: S311 a benchmark, no secret
        now = time.time_ns() // 1_000_000
        self.made = 0
        self._players = []
        for player, token in tokens.items():
            body, counts = body_of(FIRST_ID, now, chance)
            before, after = post("/games/v1/events", player, token, body).split(b"%d" % FIRST_ID)
            self._players.append((player, before, after, counts))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        _, before, after, _ = self._players[self.made % len(self._players)]
        request = before + b"%d" % (FIRST_ID + self.made) + after
        self.made += 1
        return request

    def counts(self) -> Sums:
        """What all requests so far count, by (app/player, event)."""
        rounds, rest = divmod(self.made, len(self._players))
        found = Sums()
        for number, (player, _, _, counts) in enumerate(self._players):
            for event, count in counts:
                found[f"{APP}/{player}", event] += count * (rounds + (number < rest))
        return found


class Connection(asyncio.Protocol):
    """One client: one request at a time."""

    def __init__(self, answered: "Callable[[Connection, bytes, bytes], None]") -> None:
        self._answered = answered
        self._got = b""
        self.due: float | None = None
        """When the request that waits for its answer was due; None in a closed loop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of a stream
        self._transport = transport

    def send(self, request: bytes, due: float | None) -> None:
        self.due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        length = _length(head)
        if end and length and len(body) >= int(length[1]):
            self._got = b""
            self._answered(self, head, body)

    def close(self) -> None:
        self._transport.abort()


@dataclass(frozen=True, slots=True)
class Sent:
    """What a while of a closed loop brought: answers, and how much of one core the sender took for them."""

    answered: int
    seconds: float
    sender_share: float


@dataclass(frozen=True, slots=True)
class Delays:
    """The delays of an open loop: from when a request was due to its answer, and from accepted to visible."""

    answered_seconds: list[float] = field(default_factory=list)
    visible_seconds: list[float] = field(default_factory=list)


class Clients:
    """So many connections to one server. Every answer must be a good one."""

    def __init__(self, todo: Iterator[bytes]) -> None:
        self.answered = 0
        self._todo = todo
        self._all: list[Connection] = []
        self._idle: list[Connection] = []
        self._due: deque[float] = deque()
        self._sends_on = False
        self._delays = Delays()
        self._wrong = b""

    async def connect(self, host: str, port: int, connections: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, made = await loop.create_connection(lambda: Connection(self._has_answer), host, port)
            self._all.append(made)
        self._idle = list(self._all)

    async def closed_loop(self, seconds: float) -> Sent:
        """Each client sends its next request as soon as it is answered."""
        before, since, cpu = self.answered, time.perf_counter(), time.process_time()
        self._begin()
        await asyncio.sleep(seconds)
        self._sends_on = False
        self._check()
        took = time.perf_counter() - since
        return Sent(self.answered - before, took, (time.process_time() - cpu) / took)

    async def until(self, answered: int, seconds: float) -> None:
        """A closed loop until so many are answered. Raises TimeoutError."""
        self._begin()
        await self._wait(lambda: self.answered >= answered, seconds)

    async def open_loop(self, rate: float, seconds: float) -> Delays:
        """So many requests a second, whether or not earlier ones are answered. Returns when all are."""
        await self.settled()
        self._delays, sent, since = Delays(), 0, time.perf_counter()
        while sent < rate * seconds:
            due = since + sent / rate
            if due > time.perf_counter():
                await asyncio.sleep(TICK_SECONDS)
                continue
            sent += 1
            self._due.append(due)
            if self._idle:
                self._send(self._idle.pop(), self._due.popleft())
        await self.settled()
        return self._delays

    async def settled(self) -> None:
        """Wait until every request is answered."""
        await self._wait(lambda: len(self._idle) == len(self._all) and not self._due, GIVE_UP_SECONDS)

    def _begin(self) -> None:
        self._sends_on = True
        for connection in [self._idle.pop() for _ in range(len(self._idle))]:
            self._send(connection, None)

    def _send(self, connection: Connection, due: float | None) -> None:
        if request := next(self._todo, None):
            connection.send(request, due)
        else:
            self._idle.append(connection)

    def _has_answer(self, connection: Connection, head: bytes, body: bytes) -> None:
        if not head.startswith(b"HTTP/1.1 200") or b"RECORD_RATE_HIGH" in body:
            self._wrong = head + body
        self.answered += 1
        if connection.due is not None:
            self._delays.answered_seconds.append(time.perf_counter() - connection.due)
            stated = {name: float(millis) for name, millis in _times(head)}
            if len(stated) == len(STATED):
                self._delays.visible_seconds.append((stated[b"visible"] - stated[b"accepted"]) / 1000)
        if self._due:
            self._send(connection, self._due.popleft())
        elif self._sends_on:
            self._send(connection, None)
        else:
            self._idle.append(connection)

    async def _wait(self, holds: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(POLL_SECONDS)
                self._check()

    def _check(self) -> None:
        assert not self._wrong, self._wrong

    def close(self) -> None:
        for connection in self._all:
            connection.close()
