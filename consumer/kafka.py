"""Kafka as the worker's log. The one place of the worker that knows aiokafka and its errors.

Positions come from the store's checkpoints alone: auto-commit off, no offset reset, read_committed. The group's
offsets are written for lag tools and never read.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.helpers import create_ssl_context

from consumer.config import WorkerSettings
from consumer.core.position import Bounds
from consumer.core.records import Record
from consumer.ports import Listener, OutOfRange, TopicChanged, TopicIdentity, Unavailable
from consumer.topic_id import topic_identity
from schemas.settings import Api, KafkaSettings

# A member hears of a rebalance with its next heartbeat, and until the last one has, nobody counts. Several of them fit
# into the shortest session, so that one that is late costs nothing.
HEARTBEAT_MILLIS = 1_000

# An outage of MongoDB, however long, must not cost the worker its partitions: only heartbeats say it is alive.
_NEVER_MILLIS = 2**31 - 1

# Between being assigned and being held a partition has no position; ask again soon.
_NO_POSITION_PAUSE_SECONDS = 0.05


class KafkaLog:
    """A Log over one topic of Kafka."""

    def __init__(self, kafka: KafkaSettings, worker: WorkerSettings, api: Api = "games") -> None:
        self._topic = kafka.topic(api)
        self._identity: TopicIdentity | None = None
        self._unverified: dict[TopicPartition, list[ConsumerRecord]] = {}
        self._consumer = AIOKafkaConsumer(
            **kafka.client_options(),
            ssl_context=create_ssl_context(
                cafile=kafka.ssl_cafile, certfile=kafka.ssl_certfile, keyfile=kafka.ssl_keyfile
            ),
            group_id=kafka.group_of(api),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_bytes=worker.max_fetch_bytes,
            max_partition_fetch_bytes=worker.max_partition_fetch_bytes,
            session_timeout_ms=int(worker.session_timeout_seconds * 1000),
            heartbeat_interval_ms=HEARTBEAT_MILLIS,
            max_poll_interval_ms=_NEVER_MILLIS,
        )

    async def start(self, listener: Listener) -> None:
        self._consumer.subscribe([self._topic], listener=_Relay(listener, self.hold))
        try:
            await self._consumer.start()
        except KafkaError as error:
            raise Unavailable(f"Kafka: {error!r}") from error

    async def identity(self) -> TopicIdentity:
        found = await topic_identity(self._client, self._topic)
        self._identity = self._identity or found
        return found

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        # What has been drained is kept until it is known to be of our topic: aiokafka won't give it twice.
        self._unverified = self._unverified or await self._drain(timeout_seconds)
        await self._verify(list(self._unverified))
        fetched, self._unverified = self._unverified, {}
        return {partition.partition: [_record(r) for r in records] for partition, records in fetched.items()}

    async def _drain(self, timeout_seconds: float) -> dict[TopicPartition, list[ConsumerRecord]]:
        # No max_records: with it, what is left over holds up the other partitions of that broker.
        try:
            drained: dict[TopicPartition, list[ConsumerRecord]] = await self._consumer.getmany(
                timeout_ms=int(timeout_seconds * 1000)
            )
        except OffsetOutOfRangeError as error:
            raise OutOfRange([partition.partition for partition in error.args[0]]) from error
        except NoOffsetForPartitionError:
            await asyncio.sleep(_NO_POSITION_PAUSE_SECONDS)
            return {}
        except KafkaError as error:
            raise Unavailable(f"Kafka: {error!r}") from error
        return drained

    async def _verify(self, partitions: Sequence[TopicPartition]) -> None:
        """Ask who gave these records which topic it is, after they were given.

        A topic made anew between two fetches raises no error: reading goes on at the old offset, past its first
        records. A topic id never comes back, so the same one before and after means the same topic all along.
        """
        leaders = {self._client.cluster.leader_for_partition(partition) for partition in partitions}
        for leader in leaders:
            found = await topic_identity(self._client, self._topic, leader)
            if found != self._identity:
                raise TopicChanged(found)

    def seek(self, partition: int, offset: int) -> None:
        ours = self._of(partition)
        self._unverified.pop(ours, None)
        if ours in self._consumer.assignment():
            self._consumer.seek(ours, offset)
            self._consumer.resume(ours)

    def hold(self, partition: int) -> None:
        """Pause it, with a position.

        A partition merely without a position would starve all others of its broker: aiokafka sends a broker no fetch
        while it looks for one position there.
        """
        ours = self._of(partition)
        self._unverified.pop(ours, None)
        if ours in self._consumer.assignment():
            self._consumer.seek(ours, 0)
            self._consumer.pause(ours)

    async def bounds(self, partition: int) -> Bounds:
        ours = self._of(partition)
        try:
            begin = await self._consumer.beginning_offsets([ours])
            end = await self._consumer.end_offsets([ours])
        except KafkaError as error:
            raise Unavailable(f"Kafka: {error!r}") from error
        return Bounds(begin[ours], end[ours])

    def end_offset(self, partition: int) -> int | None:
        if (ours := self._of(partition)) not in self._consumer.assignment():
            return None
        end: int | None = self._consumer.highwater(ours)
        return end

    async def commit(self, positions: Mapping[int, int]) -> None:
        try:
            await self._consumer.commit({self._of(partition): offset for partition, offset in positions.items()})
        except (KafkaError, IllegalStateError) as error:
            raise Unavailable(f"Kafka: {error!r}") from error

    @property
    def _client(self) -> AIOKafkaClient:
        return self._consumer._client  # noqa: SLF001 its connections have no public name

    async def stop(self) -> None:
        await self._consumer.stop()

    def _of(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)


class _Relay(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, listener: Listener, hold: Callable[[int], None]) -> None:
        self._listener = listener
        self._hold = hold

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._listener.revoked([partition.partition for partition in revoked])

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        partitions = [partition.partition for partition in assigned]
        for partition in partitions:
            self._hold(partition)
        await self._listener.assigned(partitions)


def _record(fetched: ConsumerRecord) -> Record:
    return Record(fetched.offset, fetched.timestamp, fetched.key, fetched.value or b"", fetched.headers)
