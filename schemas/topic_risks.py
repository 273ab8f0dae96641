"""Checks settings of a topic that lose or block records if something else fails too. Pure.

Settings that break the promise by themselves are refused (requirements.py). Every message says what was found, what is
lost in which case, and what to change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.settings import KafkaSettings

# One of the two brokers that have a record may fail.
SAFE_IN_SYNC = 2
# With three replicas, of which two must be in sync, one broker may be unavailable.
SAFE_REPLICAS = 3

MIN_IN_SYNC = "min.insync.replicas"
UNCLEAN = "unclean.leader.election.enable"
CHANGE = "kafka-configs.sh --alter --add-config"


@dataclass(frozen=True, slots=True)
class TopicShape:
    """Partitions of the topic, the smallest number of replicas of any of them, and brokers of the cluster."""

    partitions: int
    replicas: int
    brokers: int


def new_topic_config(kafka: KafkaSettings) -> dict[str, str]:
    """Further settings of a topic that `init` creates, so that they don't depend on a broker's defaults."""
    in_sync = SAFE_IN_SYNC if kafka.replication_factor >= SAFE_REPLICAS else 1
    return {MIN_IN_SYNC: str(in_sync), UNCLEAN: "false"}


def topic_risks(found: Mapping[str, str], shape: TopicShape, kafka: KafkaSettings) -> list[str]:
    """One message for each risk."""
    risks = (_replicas(shape, kafka), _in_sync(found.get(MIN_IN_SYNC), shape), _unclean(found.get(UNCLEAN)))
    return [risk for risk in risks if risk]


def _replicas(shape: TopicShape, kafka: KafkaSettings) -> str | None:
    if shape.replicas == 1:
        return (
            f"1 replica, in a cluster of {shape.brokers}: acknowledged records are lost with that broker's disk. "
            "Add replicas (kafka-reassign-partitions.sh), and set kafka.replication_factor for new topics"
        )
    if shape.replicas < kafka.replication_factor:
        return (
            f"{shape.replicas} replicas, kafka.replication_factor is {kafka.replication_factor}: the loss of "
            f"{shape.replicas} disks loses acknowledged records. Add replicas (kafka-reassign-partitions.sh)"
        )
    return None


def _in_sync(value: str | None, shape: TopicShape) -> str | None:
    if value is None:
        return f"{MIN_IN_SYNC} is unknown: Kafka may acknowledge records that only one broker has"
    in_sync = int(value)
    if in_sync > shape.replicas:
        return (
            f"{MIN_IN_SYNC} is {in_sync}, replicas are {shape.replicas}: Kafka refuses every record. "
            f"Change the topic ({CHANGE} {MIN_IN_SYNC}={min(SAFE_IN_SYNC, shape.replicas)})"
        )
    if shape.replicas == 1:
        return None  # reported already, as 1 replica
    if in_sync < SAFE_IN_SYNC:
        return (
            f"{MIN_IN_SYNC} is {in_sync} of {shape.replicas} replicas: Kafka acknowledges records that one broker has "
            "alone. They are lost with its disk, or if another replica is elected before it has copied them. "
            f"Change the topic ({CHANGE} {MIN_IN_SYNC}={SAFE_IN_SYNC})"
        )
    if in_sync == shape.replicas:
        return (
            f"{MIN_IN_SYNC} is {in_sync} of {shape.replicas} replicas: nothing is acknowledged while one of their "
            f"brokers is unavailable. Have {in_sync + 1} replicas (kafka-reassign-partitions.sh)"
        )
    return None


def _unclean(value: str | None) -> str | None:
    if value == "false":
        return None
    return (
        f"{UNCLEAN} is {value or 'unknown'}: Kafka may elect a replica that is behind. Acknowledged records are lost "
        f"then, and other records get their offsets. Change the topic ({CHANGE} {UNCLEAN}=false)"
    )


def too_few_partitions(found: int, kafka: KafkaSettings) -> str | None:
    """No record is lost, but fewer workers than intended share the topic."""
    if found >= kafka.partitions:
        return None
    return (
        f"{found} partitions, kafka.partitions is {kafka.partitions}: at most {found} workers share them. Add "
        f"partitions (tallymill init --partitions {kafka.partitions}): players move to other partitions, and nothing "
        f"is lost or counted twice. Or set kafka.partitions to {found}"
    )


def more_partitions(found: int, kafka: KafkaSettings) -> str | None:
    """An operator added partitions. They are read like the others."""
    if found <= kafka.partitions:
        return None
    return (
        f"{found} partitions, kafka.partitions is {kafka.partitions}: all are read. Set kafka.partitions to {found}, "
        "or a topic that is created again will have fewer"
    )


def with_partitions(kafka: KafkaSettings, partitions: int) -> KafkaSettings:
    """The settings with another number of partitions."""
    return kafka.model_copy(update={"partitions": partitions})


def fewer_refused(topic: str, found: int, wanted: int) -> str | None:
    """Why a topic can't be made smaller."""
    if found <= wanted:
        return None
    return (
        f"topic {topic} has {found} partitions, and Kafka can't remove any: {wanted} is refused, and nothing was "
        f"changed. Give {found} or more"
    )
