"""Which topic this is, beyond its name: the cluster id and the topic id (KIP-516), and the leader epochs.

aiokafka's own requests return none of them. A raw Metadata v12 request over the client's connections does.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import sample
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from consumer.ports import TopicIdentity, Unavailable
from serving.kafka.client import why


class _Uuid:
    """16 bytes, written as hex."""

    @classmethod
    def encode(cls, value: str) -> bytes:
        return bytes.fromhex(value)

    @classmethod
    def decode(cls, data: Any) -> str:  # noqa: ANN401 aiokafka's buffers have no type of their own
        return bytes(data.read(16)).hex()

    @classmethod
    def repr(cls, value: str) -> str:
        return repr(value)


NO_UUID = "0" * 32

# One answer is enough. In a large cluster so many brokers are asked at once.
MOST_ASKED = 5


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataStruct(RequestStruct):  # type: ignore[misc]  # the same
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataStruct]):  # type: ignore[misc]  # the same
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        return request_struct_class([(NO_UUID, self._topic, {})], False, False, {})  # noqa: FBT003 the wire's own order


@dataclass(frozen=True, slots=True)
class TopicAnswer:
    """A topic in the metadata of one broker."""

    identity: TopicIdentity
    leader_epochs: Mapping[int, int]
    """By partition. Each election has another epoch, also if the same broker is elected again."""


async def topic_answer(client: AIOKafkaClient, topic: str, node: int | None) -> TopicAnswer:
    """Ask this broker; None: any. Raises Unavailable, also if there is no such topic (yet)."""
    try:
        answer = await client.send(client.get_random_node() if node is None else node, _MetadataRequest(topic))
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
