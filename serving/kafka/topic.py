"""A topic as Kafka describes it: settings in force, which of them are its own, partitions, replicas.

Asked without making it: a request for metadata makes a topic that isn't there, by the brokers' defaults, where they
allow it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code
from aiokafka.protocol.metadata import MetadataRequest

from schemas.topic_risks import TopicShape

# Of a setting's source (ConfigEntry.ConfigSource): somebody has set it on the topic, it is no broker's default.
SET_ON_TOPIC = 1


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """The settings in force. `own`: those that somebody set on the topic."""

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
    answer = (await admin._send_request(request)).to_object()  # noqa: SLF001 describe_topics would make the topic
    (found,) = answer["topics"]
    if found["error_code"]:
        raise for_code(found["error_code"])(topic)
    replicas = [len(partition["replicas"]) for partition in found["partitions"]]
    return TopicShape(len(replicas), min(replicas), len(answer["brokers"]))
