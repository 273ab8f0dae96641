"""Retries after Unavailable, with growing pauses, until the call succeeds or the worker stops."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from consumer.core.policy import backoff_seconds
from consumer.ports import Unavailable
from serving.outage import Outage

log = structlog.get_logger()

T = TypeVar("T")

Outages = Mapping[str, Outage]
"""By server, of the whole process, so that each outage is logged once."""


def new_outages() -> Outages:
    """Of a process that has not lost any server yet."""
    return {"kafka": Outage("kafka"), "mongodb": Outage("mongodb")}


@dataclass(slots=True)
class Retry:
    """Retries with at most `max_seconds` between two tries, and none once `stop` is set.

    `name` says whose work it is, where an outage counts those that wait.
    """

    max_seconds: float
    stop: asyncio.Event
    outages: Outages = field(default_factory=new_outages)
    name: str = ""
    _retrying_since: dict[str, float] = field(default_factory=dict, init=False)

    @property
    def is_retrying(self) -> bool:
        """Whether the last try failed because a server was unavailable."""
        return bool(self._retrying_since)

    def retrying_seconds(self) -> Mapping[str, float]:
        """For how many seconds the call has been retried, by the server that was unavailable."""
        now = time.monotonic()
        return {server: now - since for server, since in self._retrying_since.items()}

    async def until_done(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T | None:
        """The result of the first try that is not Unavailable; None if stopped before that."""
        failures = 0
        part = f"{what} {self.name}"
        try:
            while not self.stop.is_set():
                try:
                    return await attempt()
                except Unavailable as error:
                    failures += 1
                    if failures == 1 and not error.lost:
                        log.warning("call_delayed", call=part, reason=str(error))
                    self._over(part, but=error.server)
                    self._retrying_since.setdefault(error.server, time.monotonic())
                    if error.lost:
                        self.outages[error.server].lost(part, str(error))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.stop.wait(), backoff_seconds(failures, self.max_seconds))
        finally:
            self._over(part)
        return None

    def _over(self, part: str, but: str | None = None) -> None:
        for server in [server for server in self._retrying_since if server != but]:
            del self._retrying_since[server]
            self.outages[server].back(part)
