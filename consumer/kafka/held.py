"""The partitions that a consumer of aiokafka reads, taken and dropped one by one.

aiokafka's own assign() replaces the whole assignment: it cancels every fetch in flight, throws away what was fetched,
and forgets all positions. Here one assignment lives as long as its consumer, and the partitions that stay are read on
as if nothing had happened.
"""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.subscription_state import (
    Assignment,
    ManualSubscription,
    SubscriptionType,
    TopicPartitionState,
)
from aiokafka.util import get_running_loop


class HeldPartitions(Assignment):  # type: ignore[misc]  # aiokafka has no types
    """An assignment that grows and shrinks."""

    def take(self, partition: TopicPartition) -> None:
        """Add it, paused and with a position.

        A partition merely without a position would starve all others of its broker: aiokafka sends a broker no fetch
        while it looks for one position there.
        """
        state = TopicPartitionState(self)
        state.seek(0)
        state.pause()
        self._tp_state[partition] = state
        self._topic_partitions |= {partition}

    def drop(self, partition: TopicPartition) -> None:
        """Remove it. Its state stays, paused: an answer that is under way still looks for it."""
        self._topic_partitions -= {partition}
        self._tp_state[partition].pause()


class HeldSubscription(ManualSubscription):  # type: ignore[misc]  # the same
    """A subscription by hand to partitions of one topic."""

    def __init__(self, topic: str) -> None:
        super().__init__([], loop=get_running_loop())
        self._topics = frozenset({topic})
        self.held = self._assignment = HeldPartitions([])


def hold_of(consumer: AIOKafkaConsumer, topic: str) -> HeldPartitions:
    """Give a consumer that has not been started yet an assignment of its own, empty at first."""
    made = HeldSubscription(topic)
    subscription = consumer._subscription  # noqa: SLF001 assign() makes an assignment that can't change
    subscription._set_subscription_type(SubscriptionType.USER_ASSIGNED)  # noqa: SLF001 the same
    subscription._change_subscription(made)  # noqa: SLF001 the same
    consumer._client.set_topics([topic])  # noqa: SLF001 the same
    return made.held
