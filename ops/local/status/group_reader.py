"""The observer's reader of Kafka, for two looks a second apart: a rebalance may last longer than that."""

from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeGroupsRequest

from console.observer.kafka import KafkaReader
from console.observer.requests import owned_of

# While a group shares out its partitions no member has any, though each worker reads on what it had.
REBALANCING = ("PreparingRebalance", "CompletingRebalance")


class GroupReader(KafkaReader):
    """Does not know who has a partition while the group rebalances."""

    async def _owned(self, topic: str) -> frozenset[int] | None:
        group = self._groups[topic]
        try:
            answer = await self._brokers.ask_coordinator(group, DescribeGroupsRequest([group]))
            return None if is_rebalancing(answer) else owned_of(answer, topic)
        except (KafkaError, OSError):
            self._brokers.forget_coordinator(group)
            return None


def is_rebalancing(answer: Any) -> bool:  # noqa: ANN401 aiokafka has no types
    return any(state in REBALANCING for _, _, state, *_ in answer.groups)
