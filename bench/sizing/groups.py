"""A large group of workers: how long it takes to share the partitions out, and what its idle members cost.

    python -m bench.sizing.groups
    python -m bench.sizing.groups --members 10,100 --partitions 200 --seconds 30
    python -m bench.sizing.groups --workers 40 --partitions 40

The members are the real ones (consumer/group/membership.py), each with its own connections. They all run in this one
process, so that many fit one machine; they read no records. With `--workers` whole `tallymill worker` processes start
instead. They share two cores with Kafka and MongoDB, and their start is mostly that of Python.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from unittest.mock import Mock, patch

from pymongo import AsyncMongoClient

from bench.measure import cpu_seconds, peak_memory_mib
from bench.place import Place, servers
from bench.scale import shared
from consumer.config import WorkerSettings
from consumer.group import membership
from consumer.group.membership import GroupMember, membership_of
from consumer.group.wire import heartbeat_request
from ops.config import Settings
from ops.init.command import initialise, wrong
from serving.outage import Outage

POLL_SECONDS = 0.02
GIVE_UP_SECONDS = 300


class Group:
    """Members of one group, and the partitions that each was given last."""

    def __init__(self, settings: Settings, members: int) -> None:
        self._partitions = settings.kafka.partitions
        self.shares: dict[int, frozenset[int]] = {}
        self.members = [
            membership_of(settings.kafka, WorkerSettings(), "games", Outage("kafka")) for _ in range(members)
        ]

    async def start(self) -> None:
        for number, member in enumerate(self.members):
            member.start(lambda given, number=number: self.shares.update({number: given}))  # type: ignore[misc]

    async def leave(self) -> None:
        """The last one leaves, as a worker that is stopped."""
        await self.members.pop().stop()
        del self.shares[len(self.members)]

    async def die(self) -> None:
        """The last one is silent from now on."""
        member = self.members.pop()
        assert isinstance(member, GroupMember)
        assert member._task  # noqa: SLF001 no worker has to do this
        member._task.cancel()  # noqa: SLF001
        del self.shares[len(self.members)]

    async def stop(self) -> None:
        await asyncio.gather(*(member.stop() for member in self.members))

    def is_shared(self) -> bool:
        """Whether each partition has one owner, and no member has two more than another."""
        sizes = [len(self.shares.get(number, ())) for number in range(len(self.members))]
        owned = frozenset().union(*self.shares.values())
        return sum(sizes) == len(owned) == self._partitions and max(sizes) - min(sizes) <= 1


async def until_shared(group: Group, change: Callable[[], Awaitable[None]]) -> float:
    """The seconds that the group takes after a change."""
    began = time.monotonic()
    await change()
    while not group.is_shared():
        if time.monotonic() - began > GIVE_UP_SECONDS:
            raise TimeoutError({number: len(share) for number, share in group.shares.items()})
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - began


async def measure_members(place: Place, members: int, partitions: int, seconds: float, heartbeats: Mock) -> None:
    settings = place.settings(partitions)
    assert not wrong(await initialise(settings))
    group = Group(settings, members)
    formed = await until_shared(group, group.start)
    await asyncio.sleep(5)  # until the last one that joined late has its share
    sent, own, broker, began = (
        heartbeats.call_count,
        time.process_time(),
        cpu_seconds(place.kafka_pid),
        time.monotonic(),
    )
    await asyncio.sleep(seconds)
    passed = time.monotonic() - began
    a_second = (heartbeats.call_count - sent) / passed
    each = (time.process_time() - own) / passed / members
    of_broker = (cpu_seconds(place.kafka_pid) - broker) / passed
    left = await until_shared(group, group.leave)
    died = await until_shared(group, group.die)
    await group.stop()
    print(
        f"{members:4} members, {partitions} partitions: shared out after {formed:.1f} s; one left: {left:.1f} s; one "
        f"died: {died:.1f} s; {a_second:.0f} heartbeats/s; CPU of a member {each:.2%}, of the broker {of_broker:.1%}; "
        f"load average {os.getloadavg()[0]:.0f}"
    )


async def measure_workers(place: Place, workers: int, partitions: int, seconds: float) -> None:
    settings = place.settings(partitions)
    assert not wrong(await initialise(settings))
    async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:
        began = time.monotonic()
        started = [place.children.start(program) for program in place.workers(settings, workers)]
        try:
            await shared(client[settings.mongodb.database], started, partitions)
            formed = time.monotonic() - began
            pids = [place.kafka_pid, place.mongod_pid, *(child.pid for child in started)]
            before, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
            await asyncio.sleep(seconds)
            passed = time.monotonic() - began
            broker, mongod, *own = ((cpu_seconds(pid) - was) / passed for pid, was in zip(pids, before, strict=True))
            memory = max(peak_memory_mib(child.pid) for child in started)
        finally:
            place.children.stop(started)
    print(
        f"{workers:4} worker processes, {partitions} partitions: all owned after {formed:.1f} s; idle: CPU of a worker "
        f"{sum(own) / workers:.2%}, of Kafka {broker:.1%}, of mongod {mongod:.1%}; {memory:.0f} MiB each; load average "
        f"{os.getloadavg()[0]:.0f}"
    )


def numbers(text: str) -> Sequence[int]:
    return [int(one) for one in text.split(",") if one]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=numbers, default=[10, 40, 100], help="groups of so many members in turn")
    parser.add_argument("--workers", type=numbers, default=[], help="groups of so many worker processes instead")
    parser.add_argument("--partitions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long an idle group is watched")
    options = parser.parse_args()
    with servers() as place, patch.object(membership, "heartbeat_request", wraps=heartbeat_request) as heartbeats:
        for count in options.workers:
            asyncio.run(measure_workers(place, count, options.partitions, options.seconds))
        for count in () if options.workers else options.members:
            asyncio.run(measure_members(place, count, options.partitions, options.seconds, heartbeats))


if __name__ == "__main__":
    main()
