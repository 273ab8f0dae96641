"""Which topic this is, beyond its name: the cluster id and the topic id (KIP-516), and the leader epochs.

aiokafka's own requests return none of them. A raw Metadata v12 request over the client's connections does.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import sample

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code

from consumer.ports import TopicIdentity, Unavailable
from serving.kafka.client import why
from serving.kafka.topic_metadata import TopicMetadataRequest

# One answer is enough. In a large cluster so many brokers are asked at once.
MOST_ASKED = 5


@dataclass(frozen=True, slots=True)
class TopicAnswer:
    """A topic in the metadata of one broker."""

    identity: TopicIdentity
    leader_epochs: Mapping[int, int]
    """By partition. Each election has another epoch, also if the same broker is elected again."""


async def topic_answer(client: AIOKafkaClient, topic: str, node: int | None) -> TopicAnswer:
    """Ask this broker; None: any. Raises Unavailable, also if there is no such topic (yet)."""
    try:
        answer = await client.send(client.get_random_node() if node is None else node, TopicMetadataRequest(topic))
    except KafkaError as error:
        raise Unavailable(f"Kafka: {why(error)}") from error
    (found,) = answer.topics
    if found[0]:
        raise Unavailable(f"Kafka: topic {topic}: {why(for_code(found[0])())}")
    identity = TopicIdentity(cluster=answer.cluster_id, topic=topic, topic_id=found[2])
    return TopicAnswer(identity, {partition: epoch for _, partition, _, epoch, *_ in found[4]})


async def topic_identity(client: AIOKafkaClient, topic: str, node: int | None = None) -> TopicIdentity:
    """Raises Unavailable, also if there is no such topic (yet)."""
    return (await topic_answer(client, topic, node)).identity


async def first_topic_answer(client: AIOKafkaClient, topic: str, seconds: float) -> TopicAnswer:
    """Ask several brokers at once, so that a frozen one delays nothing. Raises Unavailable."""
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    asked = {asyncio.create_task(topic_answer(client, topic, n)) for n in sample(nodes, min(MOST_ASKED, len(nodes)))}
    failure = Unavailable(f"Kafka: no broker has answered within {seconds:g} s")
    try:
        for one in asyncio.as_completed(asked, timeout=seconds):
            try:
                return await one
            except Unavailable as error:
                failure = error
    except TimeoutError:
        pass
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    raise failure
