"""Compares this machine's clock with Kafka's at acks, and with MongoDB's every few seconds.

Kafka tells its time only in an ack (LogAppendTime). An ingress that is not ready gets no requests and so no acks:
MongoDB's clock decides whether it becomes ready, at the start and after a wrong clock.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final

import structlog

from ingress.clock_watch import ClockNews, ClockWatch, Stamped
from ingress.ports import HelloStore, Position, Publisher, Unavailable
from schemas.documents import millis_of
from serving.clock import Clock

log = structlog.get_logger()

# How soon a change of a clock is noticed without traffic.
PROBE_SECONDS = 5.0
# Of two acks of one partition within this time only the first is compared. The time is this machine's own, so that an
# ack after its clock was set is always compared.
BETWEEN_ACKS_MILLIS = 100

TOLERANCE: Final = "ingress.max_clock_skew_seconds"


class WatchedPublisher:
    """A Publisher that compares the time of acks with this machine's clock."""

    def __init__(self, publisher: Publisher, watch: ClockWatch, clock: Clock) -> None:
        self._publisher = publisher
        self._watch = watch
        self._clock = clock
        self._compared_millis: dict[int, int] = {}
        """By partition, when an ack was last compared."""

    async def publish(self, key: bytes, headers: Sequence[tuple[str, bytes]], body: bytes) -> Position | None:
        clock = self._clock
        sent_millis = clock.wall_millis()
        position = await self._publisher.publish(key, headers, body)
        if position is not None and position.append_millis is not None:
            answered_millis, partition = clock.wall_millis(), position.partition
            if not 0 <= answered_millis - self._compared_millis.get(partition, 0) < BETWEEN_ACKS_MILLIS:
                self._compared_millis[partition] = answered_millis
                stamped = Stamped(sent_millis, answered_millis, position.append_millis)
                self._watch.measured("kafka", stamped, clock.monotonic_seconds(), (self, partition))
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
    """Asks MongoDB for its time, and logs which clock is wrong."""

    def __init__(self, mongodb: HelloStore, watch: ClockWatch, clock: Clock) -> None:
        self._mongodb = mongodb
        self._watch = watch
        self._clock = clock
        self._news = ClockNews()
        self._was_within = True

    async def hello(self) -> Mapping[str, Any]:
        """MongoDB's answer. Its time is noted. Raises Unavailable."""
        sent_millis = self._clock.wall_millis()
        answer = await self._mongodb.hello()
        if (stamp := answer.get("localTime")) is not None:
            utc = stamp.replace(tzinfo=stamp.tzinfo or UTC)  # pymongo omits the zone in a command's answer
            stamped = Stamped(sent_millis, self._clock.wall_millis(), millis_of(utc))
            self._watch.measured("mongodb", stamped, self._clock.monotonic_seconds())
        return answer

    async def run(self) -> None:
        """Probe until cancelled. An outage of MongoDB is logged elsewhere (serving/outage.py)."""
        while True:
            with contextlib.suppress(Unavailable):
                await self.hello()
            self.log_changes()
            await asyncio.sleep(PROBE_SECONDS)

    def log_changes(self) -> None:
        """One line a change."""
        now = self._clock.monotonic_seconds()
        for line in self._news.lines(self._watch.skews(now)):
            ahead_seconds = round(line.seconds, 3)
            if line.event == "clock_off":
                log.warning("clock_off", whose=line.whose, ahead_seconds=ahead_seconds, against=line.against)
            else:
                log.info("clock_right", whose=line.whose, ahead_seconds=ahead_seconds, against=line.against)
        is_within = self._watch.is_within(now)
        if is_within != self._was_within:
            self._was_within = is_within
            if is_within:
                log.info("clock_within_tolerance", setting=TOLERANCE)
            else:
                log.warning("clock_beyond_tolerance", setting=TOLERANCE)
