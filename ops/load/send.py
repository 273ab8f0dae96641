"""Sends a load: each shot at its time, whatever has become of the ones before; a lost answer is asked for again."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp

from ops.load.plan import Batch, LoadOptions, Shot, shots

TRY_SECONDS = 10
# A client keeps its requestId until it is answered; a load gives up at last, so that it ends.
GIVE_UP_SECONDS = 60
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 2.0

RETRY_STATUS = frozenset({429, 500, 502, 503, 504})

_TIMING = re.compile(r"(accepted|visible);dur=([0-9.]+)")


@dataclass(slots=True)
class Outcomes:
    """What came of a load. Seconds: latency from the time a shot was due, visible after the ingress accepted."""

    answered: dict[int, Batch] = field(default_factory=dict)
    unknown: dict[int, Batch] = field(default_factory=dict)
    requests: int = 0
    repeats: int = 0
    already_updated: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    not_yet_visible: int = 0
    latencies_seconds: list[float] = field(default_factory=list)
    visible_seconds: list[float] = field(default_factory=list)


class Sender:
    """One load against one ingress."""

    def __init__(
        self,
        ingress: str,
        token: Callable[[str], str],
        options: LoadOptions,
        *,
        give_up_seconds: float = GIVE_UP_SECONDS,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self.outcomes = Outcomes()
        self._url = f"{ingress}/games/v1/events"
        self._token = token
        self._options = options
        self._give_up_seconds = give_up_seconds
        self._first_pause_seconds = first_pause_seconds

    async def run(self, progress: Callable[[int], None]) -> Outcomes:
        """Send everything and wait for the answers, in bounded time."""
        timeout = aiohttp.ClientTimeout(total=TRY_SECONDS)
        start = time.monotonic()
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for shot in shots(self._options, time.time_ns() // 1_000_000):
                due = start + shot.at_seconds
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                tasks.create_task(self._shoot(session, shot, due))
                progress(1)
        return self.outcomes

    async def _shoot(self, session: aiohttp.ClientSession, shot: Shot, due: float) -> None:
        self.outcomes.requests += 1
        self.outcomes.repeats += shot.is_repeat
        pause = self._first_pause_seconds
        while not await self._try(session, shot, due):
            if time.monotonic() - due > self._give_up_seconds:
                self.outcomes.unknown[shot.batch.request_id] = shot.batch
                return
            self.outcomes.retries += 1
            await asyncio.sleep(pause)
            pause = min(MAX_PAUSE_SECONDS, pause * 2)

    async def _try(self, session: aiohttp.ClientSession, shot: Shot, due: float) -> bool:
        """Whether the shot is answered."""
        headers = {"Authorization": f"Bearer {self._token(shot.batch.player)}", "Content-Type": "application/json"}
        try:
            async with session.post(self._url, data=shot.batch.body, headers=headers) as reply:
                text = await reply.text()
        except (aiohttp.ClientError, TimeoutError):
            return False
        if reply.status in RETRY_STATUS:
            return False
        self.outcomes.latencies_seconds.append(time.monotonic() - due)
        if reply.status == HTTPStatus.OK:
            self._answered(shot, text, reply.headers.get("Server-Timing", ""))
        else:
            self.outcomes.refused[f"HTTP {reply.status}"] = self.outcomes.refused.get(f"HTTP {reply.status}", 0) + 1
        return True

    def _answered(self, shot: Shot, text: str, timing: str) -> None:
        if "RECORD_RATE_HIGH" in text:
            self.outcomes.refused["RECORD_RATE_HIGH"] = self.outcomes.refused.get("RECORD_RATE_HIGH", 0) + 1
            return
        self.outcomes.answered[shot.batch.request_id] = shot.batch
        self.outcomes.already_updated += "ALREADY_UPDATED" in text
        millis = {name: float(value) for name, value in _TIMING.findall(timing)}
        if "visible" in millis and "accepted" in millis:
            self.outcomes.visible_seconds.append((millis["visible"] - millis["accepted"]) / 1000)
        else:
            self.outcomes.not_yet_visible += 1
