"""A client is replaced if it does not read although its broker answers, and not because an outage was long."""

from types import SimpleNamespace
from typing import cast

from aiokafka import TopicPartition

from consumer.kafka.source import SourceClient
from consumer.kafka.source_watch import HANGING_SECONDS, MAX_HANGING_SECONDS, SourceWatch
from consumer.kafka.topic_id import TopicAnswer
from consumer.kafka.unanswered import UnansweredFetches
from consumer.ports import Unavailable
from serving.kafka.watch import KafkaWatch
from serving.outage import Outage

TP = TopicPartition("records", 0)

LONG_SECONDS = 300


class Place:
    """One partition with one broker, a client that fetches every second, and the watch over it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.broker_answers = self.client_reads = True
        self.replaced = 0
        self.outage = Outage("kafka", lambda: self.seconds, lambda _, say: say() or (lambda: None))  # type: ignore[func-returns-value]
        self.unanswered = UnansweredFetches(lambda: self.seconds)
        client = SimpleNamespace(leader=lambda _: 1, ended=lambda: None)
        self.watch = SourceWatch(
            cast("KafkaWatch", self),
            self.unanswered,
            lambda: cast("SourceClient", client),
            self._ask,
            self._replace,
            self.refresh,
        )

    @property
    def reached(self) -> bool:
        return self.broker_answers

    async def refresh(self) -> None:
        """The watch asks for nothing here."""

    async def _ask(self, _node: int | None) -> TopicAnswer:
        if not self.broker_answers:
            raise Unavailable("Kafka: no answer")
        return cast("TopicAnswer", None)

    async def _replace(self, _reason: str) -> bool:
        self.replaced += 1
        return True

    async def passes(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.seconds += 1
            is_answered = self.broker_answers and self.client_reads
            self.unanswered.note_fetch({TP: int(self.seconds * 1000) if is_answered else None})
            await self.watch.check()


async def test_after_a_long_outage_the_client_has_as_long_to_read_again_as_ever() -> None:
    place = Place()
    await place.passes(2)
    place.broker_answers = False
    await place.passes(LONG_SECONDS)
    assert place.watch.neglected_seconds(TP) == 0
    place.broker_answers, place.client_reads = True, False
    await place.passes(HANGING_SECONDS)
    assert place.replaced == 0
    assert place.watch.neglected_seconds(TP) < HANGING_SECONDS
    place.client_reads = True
    await place.passes(LONG_SECONDS)
    assert place.replaced == 0
    assert place.watch.neglected_seconds(TP) == 0


async def test_a_client_that_hangs_is_replaced_less_and_less_often() -> None:
    place = Place()
    await place.passes(2)
    place.client_reads = False
    await place.passes(2 * HANGING_SECONDS)
    assert place.replaced == 1
    await place.passes(MAX_HANGING_SECONDS)
    assert 5 <= place.replaced
    before = place.replaced
    await place.passes(10 * MAX_HANGING_SECONDS)
    assert before + 9 <= place.replaced <= before + 11
    assert place.watch.neglected_seconds(TP) > 10 * MAX_HANGING_SECONDS
