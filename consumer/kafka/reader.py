"""Kafka as the worker's record source.

- The consumer group assigns the partitions (group/membership.py). Positions come from the store's checkpoints alone:
  offsets are committed to the group for lag tools and never read.
- Reading ends at the last stable offset (read_committed). Records behind it belong to open transactions.
- Records are given out only after their leader has confirmed topic and election (verifying.py).
- A client that has ended or hangs is replaced (source_watch.py). The positions stay.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import TopicPartition

from consumer.config import WorkerSettings
from consumer.core.position import Bounds
from consumer.core.records import Record
from consumer.fetching.batches import install
from consumer.fetching.record import largest_value_bytes, most_unpacked_bytes, record_of
from consumer.fetching.room import UNPACK_BYTES, Room
from consumer.group.membership import membership_of
from consumer.kafka.damage import DamagedBatches
from consumer.kafka.ends import END_KNOWN_SECONDS, ConfirmedEnds, End, ends_in
from consumer.kafka.source import SourceClient
from consumer.kafka.source_watch import SourceWatch
from consumer.kafka.topic_id import TopicAnswer, first_topic_answer, topic_answer
from consumer.kafka.unanswered import UnansweredFetches
from consumer.kafka.verifying import ANSWER_SECONDS, PAUSE_SECONDS, Drained, Verified, Verifying
from consumer.ports import Given, LeaderChanged, TopicChanged, TopicIdentity, Unavailable
from schemas.settings import Api, KafkaSettings, LimitSettings
from serving.kafka.watch import KafkaWatch
from serving.outage import Outage

log = structlog.get_logger()

# The last resort against a frozen broker: connections to it are closed as soon as it has left the cluster
# (serving/kafka/watch.py).
REQUEST_SECONDS_PAST_SESSION = 5


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
        # Of partitions that are read: the next offset to give out, and the leader epoch since it was sought.
        self._reached: dict[TopicPartition, int] = {}
        self._epochs: dict[TopicPartition, int] = {}
        self._ends = ConfirmedEnds()
        self._damage = DamagedBatches()
        self._elected: list[int] = []
        self._largest_bytes = largest_value_bytes(limits, api)
        self._room_bytes = worker.max_buffer_bytes
        self._unpack_limit = max(UNPACK_BYTES, most_unpacked_bytes(limits))
        self._source = self._new_source()
        self._verifying = Verifying(self._ask)
        watch = watch or KafkaWatch(kafka, Outage("kafka"))
        watch.follow(self._topic, lambda: [self._source.client])
        self._membership = membership_of(kafka, worker, api, watch.outage)
        self._unanswered = UnansweredFetches()
        self._watch = SourceWatch(
            watch, self._unanswered, lambda: self._source, self._ask, self._replace_client, self._confirm_ends
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

    # Partitions and positions.

    @property
    def is_member(self) -> bool:
        return self._membership.is_member

    def _share(self, partitions: frozenset[int]) -> None:
        """Add new partitions and remove lost ones. Partitions that stay are read without a pause."""
        assignment = self._source.assignment
        assigned = {self._of(partition) for partition in partitions}
        for lost in assignment.tps - assigned:
            self.pause(lost.partition)
            assignment.remove(lost)
        for new in assigned - assignment.tps:
            assignment.add(new)

    def seek(self, partition: int, offset: int) -> None:
        tp = self._of(partition)
        if tp in self._source.assignment.tps:
            self._forget(tp)
            self._source.read_from(tp, offset)
            self._reached[tp] = offset

    def pause(self, partition: int) -> None:
        tp = self._of(partition)
        self._forget(tp)
        if tp in self._source.assignment.tps:
            self._source.pause(tp)

    def _forget(self, tp: TopicPartition) -> None:
        self._verifying.drop(tp)
        self._reached.pop(tp, None)
        self._epochs.pop(tp, None)
        self._ends.drop(tp)

    def reached(self, partition: int) -> int | None:
        return self._reached.get(self._of(partition))

    async def commit(self, positions: Mapping[int, int]) -> None:
        await self._membership.commit(positions)

    # Records.

    async def identity(self) -> TopicIdentity:
        found = (await first_topic_answer(self._source.client, self._topic, ANSWER_SECONDS)).identity
        self._identity = self._identity or found
        return found

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        if self._watching and self._watching.done():
            self._watching.result()
        if task := self._source.ended():
            raise Unavailable(f"Kafka: {task} of the client has ended; a new client takes its place")
        self._damage.raise_given_up()
        if self._elected:
            elected, self._elected = self._elected, []
            raise LeaderChanged(elected)
        await self._note_epochs()
        self._unanswered.note_fetch({tp: self._source.answered_millis(tp) for tp in self._reached})
        for leader, drained in self._by_leader(await self._drain(timeout_seconds)).items():
            self._verifying.put(leader, drained)
        return self._confirmed(await self._verifying.wait(timeout_seconds))

    async def _note_epochs(self) -> None:
        """Note the leader epoch of each new position before anything is read there: any later election is noticed."""
        if new := self._reached.keys() - self._epochs.keys():
            current = (await first_topic_answer(self._source.client, self._topic, ANSWER_SECONDS)).leader_epochs
            self._epochs.update({tp: current[tp.partition] for tp in new if tp.partition in current})

    async def _drain(self, timeout_seconds: float) -> dict[TopicPartition, Drained]:
        """Take what has been fetched, also of partitions of which only control records have come."""
        source, wanted = self._source, (self._reached.keys() & self._epochs.keys()) - self._verifying.partitions
        if not wanted:
            await asyncio.sleep(timeout_seconds)
            return {}
        fetched = await source.fetched(wanted, timeout_seconds, Room(self._room_bytes, self._unpack_limit))
        if source is not self._source:  # it was replaced meanwhile
            return {}
        for tp in fetched.keys() & self._reached.keys():
            retry_from = self._damage.offset_to_retry(tp, fetched[tp], self._reached[tp])
            if retry_from is not None:
                source.consumer.seek(tp, retry_from)
        positions = source.positions(wanted & self._reached.keys())
        drained = {tp: Drained(fetched.get(tp, ()), at) for tp, at in positions.items()}
        return {tp: one for tp, one in drained.items() if one.reached > self._reached[tp]}

    def _by_leader(self, drained: Mapping[TopicPartition, Drained]) -> dict[int | None, dict[TopicPartition, Drained]]:
        by_leader: dict[int | None, dict[TopicPartition, Drained]] = defaultdict(dict)
        for tp, one in drained.items():
            by_leader[self._source.leader(tp)][tp] = one
        return by_leader

    async def _ask(self, node: int | None) -> TopicAnswer:
        return await topic_answer(self._source.client, self._topic, node)

    def _confirmed(self, verified: Sequence[Verified]) -> dict[int, Sequence[Record]]:
        """Return the records whose leader has confirmed them. Raises TopicChanged, Unavailable."""
        given: dict[int, Sequence[Record]] = {}
        problem = ""
        for drained, answer, failure in verified:
            if answer is None:
                problem = failure
                for leader, again in self._by_leader(drained).items():
                    self._verifying.put(leader, again, PAUSE_SECONDS)
                continue
            if answer.identity != self._identity:
                raise TopicChanged(answer.identity)
            self._pause_elected(drained, answer)
            for tp, one in drained.items():
                if tp in self._reached:
                    self._reached[tp] = one.reached
                    if one.records:
                        given[tp.partition] = [Record(*record_of(found, self._largest_bytes)) for found in one.records]
        if problem and not given:
            raise Unavailable(problem)
        return given

    def _pause_elected(self, drained: Mapping[TopicPartition, Drained], answer: TopicAnswer) -> None:
        """Pause partitions with another leader epoch: the new leader's log may differ from what was drained."""
        for tp in drained:
            if answer.leader_epochs.get(tp.partition) != self._epochs.get(tp):
                log.info("leader_changed", topic=self._topic, partition=tp.partition)
                self.pause(tp.partition)
                self._elected.append(tp.partition)

    # Ends of the log, and brokers.

    async def bounds(self, partition: int) -> Bounds:
        return await self._source.bounds(self._of(partition))

    async def _confirm_ends(self) -> None:
        """Raises Unavailable."""
        if ends := ends_in({tp: self._source.state(tp) for tp in self._epochs}):
            answer = await first_topic_answer(self._source.client, self._topic, ANSWER_SECONDS)
            self._ends.confirm(ends, self._epochs, answer.leader_epochs)

    def end_offset(self, partition: int) -> int | None:
        end = self._known_end(tp := self._of(partition))
        return None if end is None else max(end.stable, self._reached.get(tp, 0))

    def uncommitted(self, partition: int) -> int | None:
        end = self._known_end(self._of(partition))
        return None if end is None else end.highwater - end.stable

    def _known_end(self, tp: TopicPartition) -> End | None:
        """The last answer counts while nothing is asked of the broker because the buffer is full."""
        return self._ends.of(tp) if self._unanswered.seconds(tp) < END_KNOWN_SECONDS else None

    def unread_seconds(self, partition: int) -> float:
        return self._unanswered.seconds(self._of(partition))

    def neglected_seconds(self, partition: int) -> float:
        return self._watch.neglected_seconds(self._of(partition))

    def unreachable_seconds(self) -> float:
        return self._watch.unreachable_seconds()

    def _of(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

    async def _replace_client(self, reason: str) -> bool:
        """Read with a new client, from the same positions. Returns False if it can't connect."""
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
        for tp in left.assignment.tps:
            made.assignment.add(tp)
            if tp in self._reached:
                made.read_from(tp, self._reached[tp])
        log.warning("client_replaced", topic=self._topic, reason=reason)
        await dropped.clear()
        await left.stop()
        return True
