"""Kafka as the worker's record source. Only this folder knows aiokafka's consumer.

Positions come from the store's checkpoints alone: no group, no offset reset, read_committed. Which partitions are read
the group says (group/membership.py); its offsets are written for lag tools and never read.

What can be read ends at the last stable offset: behind it stands what belongs to a transaction that has not ended.

The client is taught every second which brokers there are now (serving/kafka/watch.py), and another takes its place
where it has ended, or hangs. Positions stay.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumer.config import WorkerSettings
from consumer.core.position import Bounds
from consumer.core.records import Record
from consumer.fetching.batch import DAMAGED_OFFSET
from consumer.fetching.batches import install
from consumer.fetching.record import largest_value_bytes, most_unpacked_bytes, record_of
from consumer.fetching.room import ROOM, UNPACK_BYTES, Room
from consumer.group.membership import membership_of
from consumer.kafka.answers import Answers
from consumer.kafka.ends import END_KNOWN_SECONDS, ConfirmedEnds, End, ends_told
from consumer.kafka.source import SourceClient
from consumer.kafka.source_watch import SourceWatch, part_of
from consumer.kafka.topic_id import TopicAnswer, first_topic_answer, topic_answer
from consumer.kafka.verifying import ANSWER_SECONDS, PAUSE_SECONDS, Drained, Verified, Verifying
from consumer.ports import Damaged, Given, LeaderChanged, OutOfRange, TopicChanged, TopicIdentity, Unavailable
from schemas.settings import Api, KafkaSettings, LimitSettings
from serving.kafka.client import why
from serving.kafka.watch import KafkaWatch
from serving.outage import Outage

log = structlog.get_logger()

# Beyond the group's session: whatever a broker holds for a member comes within it.
REQUEST_SECONDS_PAST_SESSION = 5

# A leader that is there tells both ends of a partition within milliseconds.
BOUNDS_SECONDS = 6

# A batch whose checksum is wrong is asked for again, in case the network did it; then its partition stops.
DAMAGE_TRIES = 3


class KafkaSource:
    """A RecordSource over one topic of Kafka."""

    def __init__(
        self,
        kafka: KafkaSettings,
        worker: WorkerSettings,
        api: Api = "games",
        limits: LimitSettings = LimitSettings(),  # noqa: B008 frozen
        watch: KafkaWatch | None = None,
    ) -> None:
        install()
        self._kafka = kafka
        self._worker = worker
        self._topic = kafka.topic(api)
        self._identity: TopicIdentity | None = None
        self._reached: dict[TopicPartition, int] = {}
        self._epochs: dict[TopicPartition, int] = {}
        self._ends = ConfirmedEnds()
        self._damage: dict[TopicPartition, tuple[int, int]] = {}
        self._damaged: dict[int, str] = {}
        self._elected: list[int] = []
        self._largest_bytes = largest_value_bytes(limits, api)
        self._room_bytes = worker.max_buffer_bytes
        self._unpack_limit = max(UNPACK_BYTES, most_unpacked_bytes(limits))
        self._source = self._new_source()
        self._verifying = Verifying(self._ask)
        watch = watch or KafkaWatch(kafka, Outage("kafka"))
        watch.follow(self._topic, lambda: [self._source.client])
        self._membership = membership_of(kafka, worker, api, watch.outage)
        self._answers = Answers()
        self._watch = SourceWatch(
            watch, self._answers, lambda: self._source, self._ask, self._make_anew, self._confirm_ends
        )
        self._watching: asyncio.Task[None] | None = None

    def _new_source(self) -> SourceClient:
        return SourceClient(
            self._kafka,
            self._topic,
            int(self._worker.session_timeout_seconds + REQUEST_SECONDS_PAST_SESSION) * 1000,
            fetch_max_bytes=self._worker.max_fetch_bytes,
            max_partition_fetch_bytes=self._worker.max_partition_fetch_bytes,
        )

    async def start(self, given: Given) -> None:
        await self._source.start()

        def share(partitions: frozenset[int]) -> None:
            self._share(partitions)
            given(partitions)

        self._membership.start(share)
        self._watching = asyncio.create_task(self._watch.run(), name=f"watch Kafka for {self._topic}")

    async def stop(self) -> None:
        if self._watching:
            self._watching.cancel()
            await asyncio.wait((self._watching,))
        await self._membership.stop()
        await self._verifying.clear()
        await self._source.stop()

    # Which partitions, and from where.

    @property
    def is_member(self) -> bool:
        return self._membership.is_member

    def _share(self, partitions: frozenset[int]) -> None:
        """Take what is new, drop what is lost, and leave the rest alone."""
        assignment = self._source.assignment
        ours = {self._of(partition) for partition in partitions}
        for lost in assignment.tps - ours:
            self.pause(lost.partition)
            assignment.remove(lost)
        for new in ours - assignment.tps:
            assignment.add(new)

    def seek(self, partition: int, offset: int) -> None:
        ours = self._of(partition)
        if ours in self._source.assignment.tps:
            self._forget(ours)
            self._source.read_from(ours, offset)
            self._reached[ours] = offset

    def pause(self, partition: int) -> None:
        ours = self._of(partition)
        self._forget(ours)
        if ours in self._source.assignment.tps:
            self._source.pause(ours)

    def _forget(self, ours: TopicPartition) -> None:
        self._verifying.drop(ours)
        self._reached.pop(ours, None)
        self._epochs.pop(ours, None)
        self._ends.drop(ours)

    def reached(self, partition: int) -> int | None:
        return self._reached.get(self._of(partition))

    async def commit(self, positions: Mapping[int, int]) -> None:
        await self._membership.commit(positions)

    # What is read.

    async def identity(self) -> TopicIdentity:
        found = (await first_topic_answer(self._source.client, self._topic, ANSWER_SECONDS)).identity
        self._identity = self._identity or found
        return found

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        self._raise_if_ended()
        if self._damaged:
            damaged, self._damaged = self._damaged, {}
            raise Damaged(damaged)
        if self._elected:
            elected, self._elected = self._elected, []
            raise LeaderChanged(elected)
        await self._note_epochs()
        self._answers.asked({ours: self._source.answered_millis(ours) for ours in self._reached})
        for leader, drained in self._by_leader(await self._drain(timeout_seconds)).items():
            self._verifying.put(leader, drained)
        return self._given_out(await self._verifying.wait(timeout_seconds))

    def _raise_if_ended(self) -> None:
        if self._watching and self._watching.done():
            self._watching.result()
        if task := self._source.ended():
            raise Unavailable(f"Kafka: {task} of the client has ended; a new client takes its place")

    async def _note_epochs(self) -> None:
        """Before anything is read behind a position that was sought: an election later than that is noticed."""
        if new := self._reached.keys() - self._epochs.keys():
            answer = await first_topic_answer(self._source.client, self._topic, ANSWER_SECONDS)
            told = answer.leader_epochs
            self._epochs.update({ours: told[ours.partition] for ours in new if ours.partition in told})

    async def _drain(self, timeout_seconds: float) -> dict[TopicPartition, Drained]:
        """What has come, also of partitions where nothing but control records has."""
        source, wanted = self._source, (self._reached.keys() & self._epochs.keys()) - self._verifying.partitions
        if not wanted:
            await asyncio.sleep(timeout_seconds)
            return {}
        # No max_records: with it, what is left over holds up the other partitions of that broker.
        ROOM.set(Room(self._room_bytes, self._unpack_limit))
        try:
            fetched: dict[TopicPartition, list[ConsumerRecord]] = await source.consumer.getmany(
                *wanted, timeout_ms=int(timeout_seconds * 1000)
            )
        except OffsetOutOfRangeError as error:
            raise OutOfRange([partition.partition for partition in error.args[0]]) from error
        except NoOffsetForPartitionError:
            return {}
        except KafkaError as error:
            raise Unavailable(f"Kafka: {why(error)}") from error
        return self._drained(fetched, wanted) if source is self._source else {}

    def _drained(
        self, fetched: Mapping[TopicPartition, list[ConsumerRecord]], wanted: set[TopicPartition]
    ) -> dict[TopicPartition, Drained]:
        for ours, found in fetched.items():
            if found[-1].offset >= DAMAGED_OFFSET and ours in self._reached:
                self._stop_before(ours, found)
        drained = {ours: Drained(fetched.get(ours, ()), at) for ours, at in self._positions(wanted).items()}
        return {ours: one for ours, one in drained.items() if one.reached > self._reached[ours]}

    def _stop_before(self, ours: TopicPartition, found: list[ConsumerRecord]) -> None:
        """Take the mark of damage off what was found, and read from there again, so many times; then say so."""
        mark = found.pop()
        at = found[-1].offset + 1 if found else self._reached[ours]
        before, tries = self._damage.get(ours, (at, 0))
        self._damage[ours] = (at, tries + 1 if at == before else 1)
        self._source.consumer.seek(ours, at)
        if self._damage[ours][1] >= DAMAGE_TRIES:
            del self._damage[ours]
            self._damaged[ours.partition] = mark.checksum.reason

    def _positions(self, wanted: set[TopicPartition]) -> dict[TopicPartition, int]:
        """Where reading stands, of partitions that are read and have a position.

        Not by the consumer's own `position`, which waits for one: a partition that is sought or lost meanwhile would
        leave records behind that were fetched before, and they would be offered after it.
        """
        states = {ours: self._source.state(ours) for ours in wanted & self._reached.keys()}
        return {one: state.position for one, state in states.items() if state is not None and state.has_valid_position}

    def _by_leader(self, drained: Mapping[TopicPartition, Drained]) -> dict[int | None, dict[TopicPartition, Drained]]:
        by_leader: dict[int | None, dict[TopicPartition, Drained]] = defaultdict(dict)
        for ours, one in drained.items():
            by_leader[self._source.leader(ours)][ours] = one
        return by_leader

    async def _ask(self, node: int | None) -> TopicAnswer:
        return await topic_answer(self._source.client, self._topic, node)

    def _given_out(self, verified: Sequence[Verified]) -> dict[int, Sequence[Record]]:
        """Raises TopicChanged, Unavailable."""
        given: dict[int, Sequence[Record]] = {}
        problem = ""
        for drained, answer, failure in verified:
            if answer is None:
                problem = failure
                self._ask_again(drained)
                continue
            if answer.identity != self._identity:
                raise TopicChanged(answer.identity)
            self._hold_elected(drained, answer)
            given |= self._records({ours: one for ours, one in drained.items() if ours in self._reached})
        if problem and not given:
            raise Unavailable(problem)
        return given

    def _ask_again(self, drained: Mapping[TopicPartition, Drained]) -> None:
        for leader, again in self._by_leader(drained).items():
            self._verifying.put(leader, again, PAUSE_SECONDS)

    def _hold_elected(self, drained: Mapping[TopicPartition, Drained], answer: TopicAnswer) -> None:
        """Hold the partitions that have been through an election: what was drained of them may be another log's."""
        for ours in drained:
            if answer.leader_epochs.get(ours.partition) != self._epochs.get(ours):
                log.info("leader_changed", topic=self._topic, partition=ours.partition)
                self.pause(ours.partition)
                self._elected.append(ours.partition)

    def _records(self, drained: Mapping[TopicPartition, Drained]) -> dict[int, Sequence[Record]]:
        self._reached.update({ours: one.reached for ours, one in drained.items()})
        return {
            ours.partition: [Record(*record_of(found, self._largest_bytes)) for found in one.records]
            for ours, one in drained.items()
            if one.records
        }

    # What is known of the log's ends, and of its brokers.

    async def bounds(self, partition: int) -> Bounds:
        ours, consumer = self._of(partition), self._source.consumer
        try:
            async with asyncio.timeout(BOUNDS_SECONDS):
                begin = await consumer.beginning_offsets([ours])
                end = await consumer.end_offsets([ours])
        except TimeoutError as error:
            raise Unavailable(f"Kafka: the leader of {part_of(ours)} has not answered") from error
        except KafkaError as error:
            raise Unavailable(f"Kafka: {why(error)}") from error
        return Bounds(begin[ours], end[ours])

    async def _confirm_ends(self) -> None:
        """Raises Unavailable."""
        if told := ends_told({ours: self._source.state(ours) for ours in self._epochs}):
            answer = await first_topic_answer(self._source.client, self._topic, ANSWER_SECONDS)
            self._ends.confirm(told, self._epochs, answer.leader_epochs)

    def end_offset(self, partition: int) -> int | None:
        end = self._known_end(ours := self._of(partition))
        return None if end is None else max(end.stable, self._reached.get(ours, 0))

    def uncommitted(self, partition: int) -> int | None:
        end = self._known_end(self._of(partition))
        return None if end is None else end.highwater - end.stable

    def _known_end(self, ours: TopicPartition) -> End | None:
        """While nothing is asked of its broker, for want of room, the last answer holds."""
        return self._ends.of(ours) if self._answers.silent_seconds(ours) < END_KNOWN_SECONDS else None

    def unread_seconds(self, partition: int) -> float:
        return self._answers.silent_seconds(self._of(partition))

    def is_neglected(self, partition: int) -> bool:
        return self._of(partition) in self._watch.neglected

    def unreachable_seconds(self) -> float:
        return self._watch.unreachable_seconds()

    def _of(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

    async def _make_anew(self, reason: str) -> bool:
        """Put a new client in the place of this one. It reads on from where reading stands. False where it can't."""
        made = self._new_source()
        try:
            await made.start()
        except BaseException as error:
            await made.stop()
            if isinstance(error, Unavailable):
                return False
            raise
        left, self._source = self._source, made
        dropped, self._verifying = self._verifying, Verifying(self._ask)
        for ours in left.assignment.tps:
            made.assignment.add(ours)
            if ours in self._reached:
                made.read_from(ours, self._reached[ours])
        log.warning("client_replaced", topic=self._topic, reason=reason)
        await dropped.clear()
        await left.stop()
        return True
