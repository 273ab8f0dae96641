"""The assignment of a consumer of aiokafka, changed one partition at a time.

aiokafka's assign() replaces the whole assignment: it cancels all running fetches, drops the records that it has
fetched, and forgets all positions. Here one assignment lives as long as its consumer, and a partition that stays
is read without a pause.
"""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.subscription_state import (
    Assignment,
    ManualSubscription,
    SubscriptionType,
    TopicPartitionState,
)
from aiokafka.util import get_running_loop


class IncrementalAssignment(Assignment):  # type: ignore[misc]  # aiokafka has no types
    """An assignment that grows and shrinks."""

    def add(self, partition: TopicPartition) -> None:
        """Add the partition, paused, with a position.

        aiokafka sends no fetch to a broker while one of that broker's partitions has no position. So without one this
        partition would block the others.
        """
        state = TopicPartitionState(self)
        state.seek(0)
        state.pause()
        self._tp_state[partition] = state
        self._topic_partitions |= {partition}

    def remove(self, partition: TopicPartition) -> None:
        """Remove the partition. Its state stays, paused: the answer to a running fetch looks it up."""
        self._topic_partitions -= {partition}
        self._tp_state[partition].pause()


class _Subscription(ManualSubscription):  # type: ignore[misc]  # the same
    """A manual subscription to partitions of one topic."""

    def __init__(self, topic: str) -> None:
        super().__init__([], loop=get_running_loop())
        self._topics = frozenset({topic})
        self.incremental = self._assignment = IncrementalAssignment([])


def assign_incrementally(consumer: AIOKafkaConsumer, topic: str) -> IncrementalAssignment:
    """Give a consumer that has not started yet an empty assignment of this topic's partitions."""
    made = _Subscription(topic)
    subscription = consumer._subscription  # noqa: SLF001 assign() makes an assignment that can't change
    subscription._set_subscription_type(SubscriptionType.USER_ASSIGNED)  # noqa: SLF001 the same
    subscription._change_subscription(made)  # noqa: SLF001 the same
    consumer._client.set_topics([topic])  # noqa: SLF001 the same
    return made.incremental
