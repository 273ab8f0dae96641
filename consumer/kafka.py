"""Kafka as the worker's log. The one place of the worker that knows aiokafka and its errors.

Positions come from the store's checkpoints alone: auto-commit off, no offset reset, read_committed. The group's
offsets are written for lag tools and never read.

What can be read ends at the last stable offset: behind it stands what belongs to a transaction that has not ended.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumer.config import WorkerSettings
from consumer.core.position import Bounds
from consumer.core.records import Record
from consumer.fetching.batch import DAMAGED_OFFSET
from consumer.fetching.batches import install
from consumer.fetching.record import largest_value_bytes, most_unpacked_bytes, record_of
from consumer.fetching.room import ROOM, UNPACK_BYTES, Room
from consumer.held import hold_of
from consumer.membership import membership_of
from consumer.ports import Damaged, Given, OutOfRange, TopicChanged, TopicIdentity, Unavailable
from consumer.topic_id import topic_identity
from schemas.settings import Api, KafkaSettings, LimitSettings
from serving.kafka import client_options, why

# Beyond the group's session: whatever a broker holds for a member comes within it.
REQUEST_MILLIS_PAST_SESSION = 5_000

# Between being assigned and being held a partition has no position; ask again soon.
_NO_POSITION_PAUSE_SECONDS = 0.05


# A broker that is there answers a fetch within a second. An end it told longer ago is no longer known.
END_KNOWN_MILLIS = 30_000

# A batch whose checksum is wrong is asked for again, in case the network did it; then its partition stops.
DAMAGE_TRIES = 3


class _Drained(NamedTuple):
    """What came of one partition, and the offset that reading has come to: behind the last record, or further."""

    records: Sequence[ConsumerRecord]
    reached: int


class KafkaLog:
    """A Log over one topic of Kafka."""

    def __init__(
        self,
        kafka: KafkaSettings,
        worker: WorkerSettings,
        api: Api = "games",
        limits: LimitSettings = LimitSettings(),  # noqa: B008 frozen
    ) -> None:
        install()
        self._topic = kafka.topic(api)
        self._identity: TopicIdentity | None = None
        self._unverified: dict[TopicPartition, _Drained] = {}
        self._reached: dict[TopicPartition, int] = {}
        self._drained_millis = 0.0
        self._damage: dict[TopicPartition, tuple[int, int]] = {}
        self._damaged: dict[int, str] = {}
        self._largest_bytes = largest_value_bytes(limits, api)
        self._room_bytes = worker.max_buffer_bytes
        self._unpack_limit = max(UNPACK_BYTES, most_unpacked_bytes(limits))
        self._consumer = AIOKafkaConsumer(
            **client_options(
                kafka,
                request_timeout_ms=int(worker.session_timeout_seconds * 1000) + REQUEST_MILLIS_PAST_SESSION,
            ),
            group_id=None,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_bytes=worker.max_fetch_bytes,
            max_partition_fetch_bytes=worker.max_partition_fetch_bytes,
        )
        self._held = hold_of(self._consumer, self._topic)
        self._membership = membership_of(kafka, worker, api)

    async def start(self, given: Given) -> None:
        try:
            await self._consumer.start()
        except KafkaError as error:
            raise Unavailable(f"Kafka: {why(error)}") from error

        def share(partitions: frozenset[int]) -> None:
            self._share(partitions)
            given(partitions)

        self._membership.start(share)

    def _share(self, partitions: frozenset[int]) -> None:
        """Take what is new, drop what is lost, and leave the rest alone."""
        ours = {self._of(partition) for partition in partitions}
        for lost in self._held.tps - ours:
            self.hold(lost.partition)
            self._held.drop(lost)
        for new in ours - self._held.tps:
            self._held.take(new)

    @property
    def is_member(self) -> bool:
        return self._membership.is_member

    async def identity(self) -> TopicIdentity:
        found = await topic_identity(self._client, self._topic)
        self._identity = self._identity or found
        return found

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        if self._damaged:
            damaged, self._damaged = self._damaged, {}
            raise Damaged(damaged)
        # What has been drained is kept until it is known to be of our topic: aiokafka won't give it twice.
        self._unverified = self._unverified or await self._drain(timeout_seconds)
        await self._verify(list(self._unverified))
        drained, self._unverified = self._unverified, {}
        self._reached.update({ours: one.reached for ours, one in drained.items()})
        return {
            ours.partition: [Record(*record_of(found, self._largest_bytes)) for found in one.records]
            for ours, one in drained.items()
            if one.records
        }

    async def _drain(self, timeout_seconds: float) -> dict[TopicPartition, _Drained]:
        """What has come, also of partitions where nothing but control records has."""
        # No max_records: with it, what is left over holds up the other partitions of that broker.
        ROOM.set(Room(self._room_bytes, self._unpack_limit))
        try:
            fetched: dict[TopicPartition, list[ConsumerRecord]] = await self._consumer.getmany(
                timeout_ms=int(timeout_seconds * 1000)
            )
        except OffsetOutOfRangeError as error:
            raise OutOfRange([partition.partition for partition in error.args[0]]) from error
        except NoOffsetForPartitionError:
            await asyncio.sleep(_NO_POSITION_PAUSE_SECONDS)
            return {}
        except KafkaError as error:
            raise Unavailable(f"Kafka: {why(error)}") from error
        self._drained_millis = time.time() * 1000
        for ours, found in fetched.items():
            if found[-1].offset >= DAMAGED_OFFSET and ours in self._consumer.assignment() & self._reached.keys():
                self._stop_before(ours, found)
        drained = {ours: _Drained(fetched.get(ours, ()), at) for ours, at in self._positions().items()}
        return {ours: one for ours, one in drained.items() if one.reached > self._reached[ours]}

    def _stop_before(self, ours: TopicPartition, found: list[ConsumerRecord]) -> None:
        """Take the mark of damage off what was found, and read from there again, so many times; then say so."""
        mark = found.pop()
        at = found[-1].offset + 1 if found else self._reached[ours]
        before, tries = self._damage.get(ours, (at, 0))
        self._damage[ours] = (at, tries + 1 if at == before else 1)
        self._consumer.seek(ours, at)
        if self._damage[ours][1] >= DAMAGE_TRIES:
            del self._damage[ours]
            self._damaged[ours.partition] = mark.checksum.reason

    def _positions(self) -> dict[TopicPartition, int]:
        """Where reading stands, of partitions that are read and have a position.

        Not by the consumer's own `position`, which waits for one: a partition that is sought or lost meanwhile would
        leave records behind that were fetched before, and they would be offered after it.
        """
        if not (ours := self._consumer.assignment() & self._reached.keys()):
            return {}
        subscription = self._consumer._subscription.subscription  # noqa: SLF001 no public name for what doesn't wait
        states = {one: subscription.assignment.state_value(one) for one in ours}
        return {one: state.position for one, state in states.items() if state is not None and state.has_valid_position}

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
            self._reached[ours] = offset

    def hold(self, partition: int) -> None:
        ours = self._of(partition)
        self._unverified.pop(ours, None)
        self._reached.pop(ours, None)
        if ours in self._consumer.assignment():
            self._consumer.seek(ours, 0)
            self._consumer.pause(ours)

    async def bounds(self, partition: int) -> Bounds:
        ours = self._of(partition)
        try:
            begin = await self._consumer.beginning_offsets([ours])
            end = await self._consumer.end_offsets([ours])
        except KafkaError as error:
            raise Unavailable(f"Kafka: {why(error)}") from error
        return Bounds(begin[ours], end[ours])

    def reached(self, partition: int) -> int | None:
        return self._reached.get(self._of(partition))

    def end_offset(self, partition: int) -> int | None:
        if not self._is_end_known(ours := self._of(partition)):
            return None
        end: int | None = self._consumer.last_stable_offset(ours)
        return end

    def uncommitted(self, partition: int) -> int | None:
        if not self._is_end_known(ours := self._of(partition)):
            return None
        return int(self._consumer.highwater(ours) - self._consumer.last_stable_offset(ours))

    def _is_end_known(self, ours: TopicPartition) -> bool:
        """Whether a broker has told it lately. While nothing is asked, for want of room, what it told last holds."""
        if ours not in self._consumer.assignment() or self._consumer.last_stable_offset(ours) is None:
            return False
        return bool(self._drained_millis - self._consumer.last_poll_timestamp(ours) < END_KNOWN_MILLIS)

    async def commit(self, positions: Mapping[int, int]) -> None:
        await self._membership.commit(positions)

    @property
    def _client(self) -> AIOKafkaClient:
        return self._consumer._client  # noqa: SLF001 its connections have no public name

    async def stop(self) -> None:
        await self._membership.stop()
        await self._consumer.stop()

    def _of(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)
