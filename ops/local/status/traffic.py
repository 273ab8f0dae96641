"""Rates, lag, and who has each partition: measured here, over a second, because the console may be down.

The numbers are those of the console's observer, made by its own functions.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.observer.snapshot import PartitionNow, TopicNow
from ops.config import Settings
from ops.local.status.probes import ANSWER_SECONDS
from schemas.settings import APIS, Api

# Long enough for a rate of some records a second, short enough for a command.
RATE_SECONDS = 1.0

NO_ANSWER = f"no answer within {ANSWER_SECONDS:g} s"


@dataclass(frozen=True, slots=True)
class Traffic:
    """`unowned`: partitions that no worker had in either of two looks. `why`: why lag is not known."""

    topics: Sequence[TopicNow] = ()
    unowned: Mapping[Api, Sequence[int]] = field(default_factory=dict)
    why: str = ""

    @property
    def problems(self) -> list[str]:
        """Partitions that no worker counts, a sentence each; or that it is not known whether there are any."""
        if self.why:
            return [f"lag, stopped partitions and partitions without a worker unknown: {self.why}"]
        stopped = [
            f"{topic.api}, partition {one.partition}: stopped: {one.stopped}"
            for topic in self.topics
            for one in topic.partitions
            if one.stopped
        ]
        unowned = [f"{api}: no worker has {_partitions(numbers)}" for api, numbers in self.unowned.items() if numbers]
        return stopped + unowned

    def as_json(self) -> dict[str, Any]:
        """As `topics` of the console's GET /v1/system, with the worst partition of each."""
        topics = [
            {**one.as_json(), "worst": worst.as_json() if (worst := worst_of(one)) else None} for one in self.topics
        ]
        return {"topics": topics, "topics_why": self.why or None}


def worst_of(topic: TopicNow) -> PartitionNow | None:
    """The partition that needs a look first: a stopped one, or the one with the oldest uncounted record."""
    behind = [one for one in topic.partitions if one.stopped or one.lag_records]
    return max(behind, key=lambda one: (bool(one.stopped), one.lag_seconds or 0, one.lag_records or 0), default=None)


def unowned_of(before: Sequence[TopicNow], now: Sequence[TopicNow], apis: Sequence[Api]) -> dict[Api, list[int]]:
    """The partitions that no worker has, before and now. If no worker should read an API: those with records."""
    was = {(topic.api, one.partition) for topic in before for one in topic.partitions if one.owned is False}
    return {
        topic.api: [
            one.partition
            for one in topic.partitions
            if one.owned is False
            and (topic.api, one.partition) in was
            and not one.stopped
            and (topic.api in apis or one.lag_records)
        ]
        for topic in now
    }


def measure(settings: Settings, found: list[Traffic]) -> None:
    """Put what is known so far to the end of `found`: first the lag, then the rates too. Never raises for a server."""
    try:
        asyncio.run(asyncio.wait_for(_measure(settings, found), ANSWER_SECONDS))
    except TimeoutError:
        if not found:
            found.append(Traffic(why=NO_ANSWER))


async def _measure(settings: Settings, found: list[Traffic]) -> None:
    from console.observer.loop import Observer  # noqa: PLC0415 the clients
    from console.observer.mongodb import MongoReader  # noqa: PLC0415 the same
    from console.observer.topics import Topic  # noqa: PLC0415 the same
    from ops.local.status.group_reader import GroupReader  # noqa: PLC0415 the same
    from serving.clock import SystemClock  # noqa: PLC0415 the same
    from serving.mongodb.client import UnusableUri  # noqa: PLC0415 the same

    try:
        mongodb = MongoReader(settings.mongodb, SystemClock())
    except UnusableUri as error:
        found.append(Traffic(why="; ".join(error.problems)))
        return
    kafka = GroupReader(settings.kafka, APIS)
    topics = [Topic(api, settings.kafka.topic(api), settings.kafka.retention_seconds) for api in APIS]
    observer = Observer(topics, SystemClock(), mongodb, kafka)
    try:
        await observer.step()
        first = observer.snapshot
        found.append(Traffic(first.topics, why=_why(first.topics, first.reasons)))
        await asyncio.sleep(RATE_SECONDS)
        await observer.step()
        now = observer.snapshot
        unowned = unowned_of(first.topics, now.topics, settings.worker.apis)
        found.append(Traffic(now.topics, unowned, _why(now.topics, now.reasons)))
    finally:
        await kafka.close()
        await mongodb.close()


def _why(topics: Sequence[TopicNow], reasons: Sequence[str]) -> str:
    return reasons[0] if reasons and any(one.lag_records is None for one in topics) else ""


def _partitions(numbers: Sequence[int]) -> str:
    return f"{'partition' if len(numbers) == 1 else 'partitions'} {', '.join(map(str, numbers))}"
