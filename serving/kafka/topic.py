"""A topic as Kafka describes it: its settings, partitions and replicas. Asking never creates the topic."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code
from aiokafka.protocol.metadata import MetadataRequest

from schemas.topic_risks import TopicShape

# The source of a setting (ConfigEntry.ConfigSource) that was set on the topic. Others are defaults.
SET_ON_TOPIC = 1


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """The settings in force. `own`: the names of those that were set on the topic."""

    in_force: Mapping[str, str]
    own: frozenset[str]


async def topic_config(admin: AIOKafkaAdminClient, topic: str) -> TopicConfig:
    """Raises KafkaError, also where there is no such topic."""
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    ((code, message, _, _, entries),) = answer.resources
    if code:
        raise for_code(code)(message)
    return TopicConfig(
        {entry[0]: entry[1] for entry in entries},
        frozenset(entry[0] for entry in entries if entry[3] == SET_ON_TOPIC),
    )


async def topic_shape(admin: AIOKafkaAdminClient, topic: str) -> TopicShape:
    """Raises KafkaError, also where there is no such topic."""
    request = MetadataRequest([topic], allow_auto_topic_creation=False)
    answer = (await admin._send_request(request)).to_object()  # noqa: SLF001 describe_topics would create the topic
    (found,) = answer["topics"]
    if found["error_code"]:
        raise for_code(found["error_code"])(topic)
    replicas = [len(partition["replicas"]) for partition in found["partitions"]]
    return TopicShape(len(replicas), min(replicas), len(answer["brokers"]))
