"""The load, an open loop on both APIs: each request is retried with the same id until it is acknowledged. And a ledger.

Only the local issuer's tokens are shared with tallymill. Requests, retries and the reading of answers are not.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.cluster.stage.requests import APIS, PATHS, Api, Sent, analytics_requests, games_requests

RATE = 15.0
"""Requests a second of each API: every partition has two a second, and two cores serve it beside four JVMs."""
TRY_SECONDS = 9.0
"""Longer than an ingress takes to say 503 (publish deadline 5 s, apply time-out 1 s)."""
PAUSE_SECONDS = 0.5
RETRY = {429, 500, 502, 503, 504}

Token = Callable[[str], str]


@dataclass(slots=True)
class Ledger:
    """Every request that was sent, in order."""

    sent: list[Sent] = field(default_factory=list)

    @property
    def acknowledged(self) -> list[Sent]:
        return [one for one in self.sent if one.acked_at is not None]

    @property
    def open(self) -> list[Sent]:
        return [one for one in self.sent if one.acked_at is None and not one.refused]

    @property
    def refused(self) -> list[Sent]:
        return [one for one in self.sent if one.refused]

    @property
    def false_duplicates(self) -> list[Sent]:
        """First attempts that were answered as if their id had counted before."""
        return [one for one in self.acknowledged if one.duplicate and one.attempts == 1]


class Load:
    """Made by `loading`."""

    def __init__(self, session: aiohttp.ClientSession, ingresses: list[str], token: Token) -> None:
        self.ledger = Ledger()
        self._session = session
        self._ingresses = ingresses
        self._token = token
        self._asked = 0
        self._stop = asyncio.Event()
        self._tries: set[asyncio.Task[None]] = set()

    async def send(self, requests: Iterator[Sent]) -> None:
        """Send one after the other at its time, answered or not what came before, until stopped."""
        start = time.monotonic()
        for number, one in enumerate(requests):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), max(0.0, start + number / RATE - time.monotonic()))
            if self._stop.is_set():
                return
            self.ledger.sent.append(one)
            task = asyncio.create_task(self._until_acknowledged(one))
            self._tries.add(task)
            task.add_done_callback(self._tries.discard)

    async def resend(self, one: Sent) -> Sent:
        """Send a request that was acknowledged once more, as a client that has lost the answer. Not in the ledger."""
        again = Sent(one.api, one.number, one.player, one.weight, one.minute, one.body)
        await self._until_acknowledged(again)
        return again

    async def finish(self, seconds: float) -> None:
        """Send nothing new, and wait for the answers that are still due; what has none then stays open."""
        self._stop.set()
        if self._tries:
            await asyncio.wait(self._tries, timeout=seconds)
        for task in tuple(self._tries):
            task.cancel()

    def acknowledged(self, api: Api | None = None) -> int:
        return sum(one.api == api or api is None for one in self.ledger.acknowledged)

    async def _until_acknowledged(self, one: Sent) -> None:
        one.first_at = time.monotonic()
        while not await self._try(one):  # noqa: ASYNC110 another process has no event to wait for
            await asyncio.sleep(PAUSE_SECONDS)

    async def _try(self, one: Sent) -> bool:
        """Whether it needs no other try. Tries go to the ingresses in turn, as a load balancer's do."""
        self._asked += 1
        url = self._ingresses[self._asked % len(self._ingresses)] + PATHS[one.api]
        headers = {"Authorization": f"Bearer {self._token(one.player)}", "Content-Type": "application/json"}
        one.attempts += 1
        try:
            async with self._session.post(url, data=one.body, headers=headers) as reply:
                text, status, said = await reply.text(), reply.status, reply.headers
        except (aiohttp.ClientError, TimeoutError) as error:
            one.answers.append(type(error).__name__)
            return False
        if status in RETRY:
            one.answers.append(str(status))
            return False
        note_answer(one, status, said, text)
        return True


def note_answer(one: Sent, status: int, headers: Mapping[str, str], text: str) -> None:
    """Note a final answer."""
    answer: dict[str, Any] = json.loads(text)
    one.answers.append(str(status))
    causes = {failure["failureCause"] for failure in answer.get("batchFailures", ())}
    causes |= {failure["failureCause"] for failure in answer.get("eventFailures", ())}
    if status != 200 or causes - {"ALREADY_UPDATED"} or answer.get("StatusCode", 0) != 0:
        one.refused = f"{status}: {text[:300]}"
        return
    one.duplicate = "ALREADY_UPDATED" in causes or headers.get("Tallymill-Duplicate") == "true"
    if receipt := headers.get("Tallymill-Receipt"):
        one.receipt = receipt
        lineage, partition, offset, *_ = receipt.split(".")
        one.where = lineage, int(partition), int(offset)
    one.acked_at = time.monotonic()


@asynccontextmanager
async def loading(ingresses: list[str], token: Token):  # type: ignore[no-untyped-def]  # noqa: ANN201 an async generator
    """A load under way. It is ended with `finish`, or at the end of the block."""
    timeout = aiohttp.ClientTimeout(total=TRY_SECONDS)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        load = Load(session, ingresses, token)
        now = time.time_ns() // 1_000_000
        make = {"games": games_requests, "analytics": analytics_requests}
        senders = [asyncio.create_task(load.send(make[api](now))) for api in APIS]
        try:
            yield load
        finally:
            await load.finish(0)
            await asyncio.gather(*senders)
