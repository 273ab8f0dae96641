"""One contract, two logs: the one in memory and Kafka keep the same promises to the worker."""

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer

from consumer.core.position import Bounds
from consumer.core.records import Record
from consumer.kafka.reader import KafkaSource
from consumer.memory import MemorySource
from consumer.ports import Damaged, RecordSource
from tests.consumer.parts import TOPIC, eventually
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place, produce
from tests.samples import batch, period, sealed, update
from tests.servers import Servers


class Owner:
    """Remembers the last share."""

    def __init__(self) -> None:
        self.owned: frozenset[int] = frozenset()

    def given(self, share: frozenset[int]) -> None:
        self.owned = share


def one(offset: int) -> Record:
    return sealed(offset, batch(period(update()), request_id=str(offset + 1)), request_id=offset + 1)


class SourceContract(ABC):
    """Each subclass gives a log of two partitions, and the producer's side of it."""

    log: RecordSource

    @abstractmethod
    async def produce(self, partition: int, *records: Record) -> None:
        """Append records to a partition."""

    @abstractmethod
    async def produce_in_transaction(self, partition: int, *records: Record) -> None:
        """The same, with a control record behind them."""

    async def reach(self, partition: int, offset: int) -> list[Record]:
        """Fetch until all records below `offset` have come."""
        got: list[Record] = []
        give_up = time.monotonic() + PATIENCE_SECONDS
        while (self.log.reached(partition) or 0) < offset:
            assert time.monotonic() < give_up, self.log.reached(partition)
            got.extend((await self.log.fetch(0.2)).get(partition, ()))
        return got

    async def joined(self) -> None:
        owner = Owner()
        await self.log.start(owner.given)
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
        self.log.pause(0)
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
        await eventually(lambda: self.log.end_offset(0) == 2)

    async def test_a_control_record_at_the_end_is_reached_and_is_no_record(self) -> None:
        """So the checkpoint can move over it; from between the two there is nothing to fetch."""
        await self.produce_in_transaction(0, one(0), one(1))
        await self.joined()
        assert self.log.reached(0) is None
        self.log.seek(0, 0)
        assert [r.offset for r in await self.reach(0, 3)] == [0, 1]
        assert self.log.reached(0) == (await self.log.bounds(0)).end == 3
        await eventually(lambda: (self.log.end_offset(0), self.log.uncommitted(0)) == (3, 0))
        self.log.seek(0, 2)
        assert self.log.reached(0) == 2
        assert await self.reach(0, 3) == []
        self.log.pause(0)
        assert self.log.reached(0) is None

    async def test_partitions_of_others_are_let_alone(self) -> None:
        """A call for a partition of another worker does nothing."""
        await self.joined()
        self.log.seek(7, 0)
        self.log.pause(7)
        assert self.log.end_offset(7) is None
        assert self.log.uncommitted(7) is None
        assert self.log.reached(7) is None

    async def test_it_knows_which_topic_it_is_and_takes_the_groups_offsets(self) -> None:
        """The same each time."""
        await self.produce(0, one(0))
        await self.joined()
        assert await self.log.identity() == await self.log.identity()
        await self.log.commit({0: 1})


class TestMemorySource(SourceContract):
    @pytest.fixture(autouse=True)
    def _log(self) -> None:
        self.memory = self.log = MemorySource(2, TOPIC)

    async def produce(self, partition: int, *records: Record) -> None:
        for record in records:
            self.memory.append(partition, record)

    async def produce_in_transaction(self, partition: int, *records: Record) -> None:
        await self.produce(partition, *records)
        self.memory.append_gap(partition)


class TestKafkaSource(SourceContract):
    @pytest.fixture(autouse=True)
    async def _log(self, servers: Servers) -> AsyncIterator[None]:
        async with place(servers) as self.where:
            self.log = KafkaSource(self.where.settings.kafka, self.where.settings.worker)
            yield
            await self.log.stop()

    where: Place

    async def produce(self, partition: int, *records: Record) -> None:
        await produce(self.where.settings, partition, *records)

    async def produce_in_transaction(self, partition: int, *records: Record) -> None:
        kafka = self.where.settings.kafka
        made = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=kafka.records_topic)
        async with made as producer, producer.transaction():
            for record in records:
                await producer.send(kafka.records_topic, record.value, key=record.key, partition=partition)

    async def test_an_open_transaction_is_no_end_and_says_how_much_waits(self) -> None:
        """Records behind it can't be read until it ends: they are not behind, they are not there yet."""
        kafka = self.where.settings.kafka
        made = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=kafka.records_topic)
        async with made as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(kafka.records_topic, b"open", partition=0)
            await self.produce(0, one(1))
            await self.joined()
            self.log.seek(0, 0)
            await eventually(lambda: self.log.end_offset(0) is None)
            await self._until_end_known()
            assert (self.log.end_offset(0), self.log.uncommitted(0), self.log.reached(0)) == (0, 2, 0)
            assert await self.log.bounds(0) == Bounds(0, 0)
            await producer.abort_transaction()
        assert [r.offset for r in await self.reach(0, 3)] == [1]
        await eventually(lambda: self.log.uncommitted(0) == 0)

    async def _until_end_known(self) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while self.log.end_offset(0) is None:
            assert time.monotonic() < give_up
            await self.log.fetch(0.2)

    async def test_an_end_that_no_broker_has_told_lately_is_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Unknown, and not that nothing waits."""
        await self.produce(0, one(0))
        await self.joined()
        self.log.seek(0, 0)
        await self.reach(0, 1)
        await eventually(lambda: self.log.end_offset(0) == 1)
        monkeypatch.setattr("consumer.kafka.reader.END_KNOWN_SECONDS", 0)
        assert self.log.end_offset(0) is None
        assert self.log.uncommitted(0) is None

    async def test_damage_stops_its_partition_alone_and_only_when_it_stays(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A checksum that is wrong three times over; the other partition's records come all the while."""
        await self.produce(0, one(0))
        await self.joined()
        self.log.seek(1, 0)
        self.log.seek(0, 0)
        monkeypatch.setattr("consumer.fetching.batch.is_sound", lambda _: False)
        with pytest.raises(Damaged) as raised:
            await self.reach(0, 1)
        assert raised.value.partitions == {0: "the batch at offset 0 is damaged: its checksum is wrong"}
        monkeypatch.undo()
        assert [r.offset for r in await self.reach(0, 1)] == [0]
