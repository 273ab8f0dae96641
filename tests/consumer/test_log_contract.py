"""One contract, two logs: the one in memory and Kafka keep the same promises to the worker."""

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable

import pytest

from consumer.core.position import Bounds
from consumer.core.records import Record
from consumer.kafka import KafkaLog
from consumer.memory import MemoryLog
from consumer.ports import Log
from tests.consumer.parts import TOPIC, eventually
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place, produce
from tests.samples import batch, period, sealed, update
from tests.servers import Servers


class Owner:
    """A Listener that only remembers."""

    def __init__(self) -> None:
        self.owned: set[int] = set()

    async def assigned(self, partitions: Iterable[int]) -> None:
        self.owned |= set(partitions)

    async def revoked(self, partitions: Iterable[int]) -> None:
        self.owned -= set(partitions)


def one(offset: int) -> Record:
    return sealed(offset, batch(period(update()), request_id=str(offset + 1)), request_id=offset + 1)


class LogContract(ABC):
    """Each subclass gives a log of two partitions, and the producer's side of it."""

    log: Log

    @abstractmethod
    async def produce(self, partition: int, *records: Record) -> None:
        """Append records to a partition."""

    async def joined(self) -> None:
        owner = Owner()
        await self.log.start(owner)
        await eventually(lambda: owner.owned == {0, 1})
        await self.log.identity()

    async def read(self, wanted: int) -> dict[int, list[Record]]:
        """Fetch until so many records have come."""
        got: dict[int, list[Record]] = {}
        give_up = time.monotonic() + PATIENCE_SECONDS
        while sum(map(len, got.values())) < wanted:
            assert time.monotonic() < give_up, got
            for partition, records in (await self.log.fetch(0.2)).items():
                got.setdefault(partition, []).extend(records)
        return got

    async def test_an_assigned_partition_is_held_until_it_is_sought_and_holds_up_no_other(self) -> None:
        """Only the checkpoint says where to read."""
        await self.produce(0, one(0))
        await self.produce(1, one(0))
        await self.joined()
        assert [await self.log.fetch(0.05) for _ in range(3)] == [{}, {}, {}]
        self.log.seek(1, 0)
        assert (await self.read(1)).keys() == {1}

    async def test_records_come_in_order_from_where_it_was_sought_and_go_on(self) -> None:
        """With key, value, headers and offset as they were written."""
        await self.produce(0, one(0), one(1), one(2))
        await self.joined()
        self.log.seek(0, 1)
        first = (await self.read(2))[0]
        await self.produce(0, one(3))
        assert [r.offset for r in [*first, *(await self.read(1))[0]]] == [1, 2, 3]
        assert [(r.key, r.value, list(r.headers)) for r in first] == [
            (r.key, r.value, list(r.headers)) for r in (one(1), one(2))
        ]

    async def test_sought_again_it_is_read_again(self) -> None:
        """After a lost race."""
        await self.produce(0, one(0), one(1))
        await self.joined()
        self.log.seek(0, 0)
        await self.read(2)
        self.log.seek(0, 1)
        assert [r.offset for r in (await self.read(1))[0]] == [1]

    async def test_held_it_is_read_no_more(self) -> None:
        """A stopped partition stays where it is."""
        await self.produce(0, one(0))
        await self.joined()
        self.log.seek(0, 0)
        await self.read(1)
        self.log.hold(0)
        await self.produce(0, one(1))
        assert [await self.log.fetch(0.1) for _ in range(3)] == [{}, {}, {}]

    async def test_it_tells_where_it_begins_and_ends(self) -> None:
        """And the end of what has been fetched, for the lag."""
        await self.produce(0, one(0), one(1))
        await self.joined()
        assert await self.log.bounds(0) == Bounds(0, 2)
        assert await self.log.bounds(1) == Bounds(0, 0)
        self.log.seek(0, 0)
        await self.read(2)
        assert self.log.end_offset(0) == 2

    async def test_partitions_of_others_are_let_alone(self) -> None:
        """Told of one that isn't ours, it does nothing."""
        await self.joined()
        self.log.seek(7, 0)
        self.log.hold(7)
        assert self.log.end_offset(7) is None

    async def test_it_knows_which_topic_it_is_and_takes_the_groups_offsets(self) -> None:
        """The same each time."""
        await self.produce(0, one(0))
        await self.joined()
        assert await self.log.identity() == await self.log.identity()
        await self.log.commit({0: 1})


class TestMemoryLog(LogContract):
    @pytest.fixture(autouse=True)
    def _log(self) -> None:
        self.memory = self.log = MemoryLog(2, TOPIC)

    async def produce(self, partition: int, *records: Record) -> None:
        for record in records:
            self.memory.append(partition, record)


class TestKafkaLog(LogContract):
    @pytest.fixture(autouse=True)
    async def _log(self, servers: Servers) -> AsyncIterator[None]:
        async with place(servers) as self.where:
            self.log = KafkaLog(self.where.settings.kafka, self.where.settings.worker)
            yield
            await self.log.stop()

    where: Place

    async def produce(self, partition: int, *records: Record) -> None:
        await produce(self.where.settings, partition, *records)
