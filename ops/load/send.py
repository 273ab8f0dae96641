"""Sends a load as an open loop: each request at its time. A request without an answer is sent again."""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Generic

import aiohttp

from ops.http_words import failure, refusal_words
from ops.load.plan import Batch, LoadOptions, S, Shot, shots
from ops.load.pools import Pool, pool_shots

TRY_SECONDS = 10
# A real client retries until it has an answer. A load gives up, so that it ends.
GIVE_UP_SECONDS = 60
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 2.0

RETRY_STATUS = frozenset({429, 500, 502, 503, 504})

_TIMING = re.compile(r"(accepted|visible);dur=([0-9.]+)")


@dataclass(slots=True)
class Refusals:
    """Requests that were refused, by cause, and the message of the first reply of each cause."""

    counts: dict[str, int] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    def add(self, cause: str, message: str) -> None:
        self.messages.setdefault(cause, message)
        self.counts[cause] = self.counts.get(cause, 0) + 1


@dataclass(slots=True)
class Tries:
    """Attempts without a final answer, by reason. A retry follows each but the last attempt of a request."""

    failures: dict[str, int] = field(default_factory=dict)
    retries: int = 0


@dataclass(slots=True)
class Delays:
    """Latencies from the time a request was due; from "accepted" to "visible", as replies state it."""

    latencies_seconds: list[float] = field(default_factory=list)
    visible_seconds: list[float] = field(default_factory=list)
    not_yet_visible: int = 0
    """Replies that did not wait until the request was visible."""


@dataclass(slots=True)
class Outcomes(Generic[S]):
    """What became of the requests of a load."""

    answered: dict[int, S] = field(default_factory=dict)
    unknown: dict[int, S] = field(default_factory=dict)
    requests: int = 0
    repeats: int = 0
    already_updated: int = 0
    refusals: Refusals = field(default_factory=Refusals)
    tries: Tries = field(default_factory=Tries)
    delays: Delays = field(default_factory=Delays)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply of HTTP status 200."""

    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WireApi(Generic[S]):
    """What differs between the APIs: path, requests, and the meaning of an answer."""

    path: str
    shots: Callable[[LoadOptions, int], Iterator[Shot[S]]]
    refusal: Callable[[Answer], str]
    """Why a reply with status 200 refuses the request; empty if it accepts it."""
    is_duplicate: Callable[[Answer], bool]


def _status_code(answer: Answer) -> str:
    try:
        code = json.loads(answer.text)["StatusCode"]
    except (ValueError, KeyError, TypeError):
        return "no StatusCode"
    return f"StatusCode {code}" if code else ""


GAMES: WireApi[Batch] = WireApi(
    "/games/v1/events",
    shots,
    lambda answer: "RECORD_RATE_HIGH" if "RECORD_RATE_HIGH" in answer.text else "",
    lambda answer: "ALREADY_UPDATED" in answer.text,
)
ANALYTICS: WireApi[Pool] = WireApi(
    "/AddEventBatch", pool_shots, _status_code, lambda answer: "Tallymill-Duplicate" in answer.headers
)


class OpenLoop(Generic[S]):
    """One load against one ingress."""

    def __init__(
        self,
        ingress: str,
        token: Callable[[str], str],
        options: LoadOptions,
        api: WireApi[S],
        *,
        give_up_seconds: float = GIVE_UP_SECONDS,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self.outcomes: Outcomes[S] = Outcomes()
        self._url = f"{ingress}{api.path}"
        self._api = api
        self._token = token
        self._options = options
        self._give_up_seconds = give_up_seconds
        self._first_pause_seconds = first_pause_seconds

    async def run(self, progress: Callable[[int], None], stop: asyncio.Event | None = None) -> Outcomes[S]:
        """Send everything, or until `stop` is set, and wait for the answers in bounded time."""
        stop = stop or asyncio.Event()
        timeout = aiohttp.ClientTimeout(total=TRY_SECONDS)
        start = time.monotonic()
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for shot in self._api.shots(self._options, time.time_ns() // 1_000_000):
                due = start + shot.at_seconds
                if await _is_set_by(stop, due):
                    break
                tasks.create_task(self._shoot(session, shot, due))
                progress(1)
        return self.outcomes

    async def _shoot(self, session: aiohttp.ClientSession, shot: Shot[S], due: float) -> None:
        self.outcomes.requests += 1
        self.outcomes.repeats += shot.is_repeat
        pause = self._first_pause_seconds
        while not await self._try(session, shot, due):
            if time.monotonic() - due > self._give_up_seconds:
                self.outcomes.unknown[shot.batch.request_id] = shot.batch
                return
            self.outcomes.tries.retries += 1
            await asyncio.sleep(pause)
            pause = min(MAX_PAUSE_SECONDS, pause * 2)

    async def _try(self, session: aiohttp.ClientSession, shot: Shot[S], due: float) -> bool:
        """Whether the shot is answered."""
        headers = {"Authorization": f"Bearer {self._token(shot.batch.player)}", "Content-Type": "application/json"}
        try:
            async with session.post(self._url, data=shot.batch.body, headers=headers) as reply:
                text = await reply.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return self._failed(failure(error))
        if reply.status in RETRY_STATUS:
            words = refusal_words(text)
            return self._failed(f"HTTP {reply.status}: {words}" if words else f"HTTP {reply.status}")
        self.outcomes.delays.latencies_seconds.append(time.monotonic() - due)
        if reply.status == HTTPStatus.OK:
            self._answered(shot, Answer(text, reply.headers))
        else:
            self.outcomes.refusals.add(f"HTTP {reply.status}", refusal_words(text))
        return True

    def _failed(self, reason: str) -> bool:
        failures = self.outcomes.tries.failures
        failures[reason] = failures.get(reason, 0) + 1
        return False

    def _answered(self, shot: Shot[S], answer: Answer) -> None:
        if refusal := self._api.refusal(answer):
            self.outcomes.refusals.add(refusal, "")
            return
        self.outcomes.answered[shot.batch.request_id] = shot.batch
        self.outcomes.already_updated += self._api.is_duplicate(answer)
        timing = answer.headers.get("Server-Timing", "")
        millis = {name: float(value) for name, value in _TIMING.findall(timing)}
        if "visible" in millis and "accepted" in millis:
            self.outcomes.delays.visible_seconds.append((millis["visible"] - millis["accepted"]) / 1000)
        else:
            self.outcomes.delays.not_yet_visible += 1


async def _is_set_by(stop: asyncio.Event, due: float) -> bool:
    """Wait until `stop` is set or the time is due. Returns whether it is set."""
    if not stop.is_set() and (wait := due - time.monotonic()) > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)
    return stop.is_set()


class Sender(OpenLoop[Batch]):
    """A load of events.record."""

    def __init__(
        self,
        ingress: str,
        token: Callable[[str], str],
        options: LoadOptions,
        *,
        give_up_seconds: float = GIVE_UP_SECONDS,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        pauses = {"give_up_seconds": give_up_seconds, "first_pause_seconds": first_pause_seconds}
        super().__init__(ingress, token, options, GAMES, **pauses)
