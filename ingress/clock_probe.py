"""Clocks compared as the ingress goes: Kafka's with every ack, MongoDB's by asking for it now and then.

Kafka tells its time only to who writes (LogAppendTime). An ingress that is not ready is sent nothing, so MongoDB's
clock is what it starts with, and what it comes back by.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Protocol

import structlog

from ingress.clock_watch import ClockNews, ClockWatch, Stamped
from ingress.ports import Position, Publisher, Unavailable
from schemas.documents import millis_of
from serving.clock import Clock

log = structlog.get_logger()

# How soon a clock that was set is noticed without traffic.
PROBE_SECONDS = 5.0


class Greeter(Protocol):
    async def hello(self) -> Mapping[str, Any]:
        """MongoDB's answer to `hello`, which holds its time. Raises Unavailable."""
        ...


class WatchedPublisher:
    """A Publisher whose acks are held against our clock."""

    def __init__(self, publisher: Publisher, watch: ClockWatch, clock: Clock) -> None:
        self._publisher = publisher
        self._watch = watch
        self._clock = clock

    async def publish(self, key: bytes, headers: Sequence[tuple[str, bytes]], body: bytes) -> Position | None:
        clock = self._clock
        sent_millis = clock.wall_millis()
        position = await self._publisher.publish(key, headers, body)
        if position is not None and position.append_millis is not None:
            stamped = Stamped(sent_millis, clock.wall_millis(), position.append_millis)
            self._watch.measured("kafka", stamped, clock.monotonic_seconds(), (self, position.partition))
        return position

    def partition_of(self, key: bytes) -> int | None:
        return self._publisher.partition_of(key)

    @property
    def ready(self) -> bool:
        return self._publisher.ready

    @property
    def waiting_bytes(self) -> int:
        return self._publisher.waiting_bytes


class ClockProbe:
    """Asks MongoDB for its time, and logs which clock is off."""

    def __init__(self, mongodb: Greeter, watch: ClockWatch, clock: Clock) -> None:
        self._mongodb = mongodb
        self._watch = watch
        self._clock = clock
        self._news = ClockNews()
        self._was_within = True

    async def hello(self) -> Mapping[str, Any]:
        """MongoDB's answer, its time noted. Raises Unavailable."""
        sent_millis = self._clock.wall_millis()
        answer = await self._mongodb.hello()
        if (stamp := answer.get("localTime")) is not None:
            utc = stamp.replace(tzinfo=stamp.tzinfo or UTC)  # pymongo leaves the zone out of a command's answer
            stamped = Stamped(sent_millis, self._clock.wall_millis(), millis_of(utc))
            self._watch.measured("mongodb", stamped, self._clock.monotonic_seconds())
        return answer

    async def run(self) -> None:
        """Until cancelled. That MongoDB is away, others log."""
        while True:
            try:
                await self.hello()
            except Unavailable as error:
                log.debug("mongodb_clock_unknown", error=str(error))
            self.tell()
            await asyncio.sleep(PROBE_SECONDS)

    def tell(self) -> None:
        """Log what has changed."""
        now = self._clock.monotonic_seconds()
        for line in self._news.lines(self._watch.skews(now)):
            write = log.warning if line.event == "clock_off" else log.info
            write(line.event, whose=line.whose, ahead_seconds=round(line.seconds, 3), against=line.against)
        is_within = self._watch.is_within(now)
        if is_within != self._was_within:
            self._was_within = is_within
            event = "clock_within_tolerance" if is_within else "clock_beyond_tolerance"
            (log.info if is_within else log.warning)(event, setting="ingress.max_clock_skew_seconds", ready=is_within)
