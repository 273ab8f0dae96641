"""The questions of `status` to Kafka and MongoDB: whether records can be accepted and counted now.

The connections are made as the processes make theirs (serving/), so errors have the same words as in their logs.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ops.config import Settings
from ops.local.status.probes import ANSWER_SECONDS, READY, Answer

_NO_ERROR = 0
_UNKNOWN_TOPIC = 3

# A silent broker is asked by TLS too, for half as long again: both are over before `status` stops waiting.
KAFKA_SECONDS = ANSWER_SECONDS / 1.5

# A client gives up, and says why, before `status` stops waiting for it.
CLIENT_MILLIS = int(ANSWER_SECONDS * 1000 * 0.8)

# Shorter, so that the client knows of each silent server when it gives up.
CONNECT_MILLIS = CLIENT_MILLIS // 2


def kafka_state(settings: Settings) -> Answer:
    """Whether a broker serves both topics: each partition must have a leader. No topic is created by asking."""
    from serving.kafka.bootstrap import NotReached, first_answer  # noqa: PLC0415 the same
    from serving.kafka.client import UnusableFile  # noqa: PLC0415 loads the client library

    kafka = settings.kafka
    if not kafka.bootstrap_servers:
        return Answer("not ready", "kafka.bootstrap_servers is not set")
    topics = (kafka.records_topic, kafka.analytics_topic)
    try:
        _, found = asyncio.run(first_answer(kafka, topics, seconds=KAFKA_SECONDS))
    except UnusableFile as error:
        return Answer("not ready", str(error))
    except NotReached as error:
        return Answer("no answer", str(error))
    return metadata_state(found.to_object())


def metadata_state(found: Mapping[str, Any]) -> Answer:
    """What a Metadata response comes to, given by the names of its fields."""
    if not found["brokers"]:
        return Answer("not ready", "the broker is not part of a cluster yet")
    problems = topic_problems(found["topics"])
    return Answer("not ready", "; ".join(problems)) if problems else READY


def topic_problems(topics: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    """What is wrong with topics; a partition without a leader has -1."""
    problems = []
    for topic in topics:
        name, code, partitions = topic["topic"], topic["error_code"], topic["partitions"]
        leaderless = sorted(one["partition"] for one in partitions if one["leader"] < 0)
        if code == _UNKNOWN_TOPIC:
            problems.append(f"topic {name} is missing: run `tallymill init`")
        elif leaderless:
            problems.append(f"topic {name}: no leader for partitions {', '.join(map(str, leaderless))}")
        elif code != _NO_ERROR or not partitions:
            from aiokafka.errors import for_code  # noqa: PLC0415 loads the client library

            from serving.kafka.client import why  # noqa: PLC0415 the same

            reason = why(for_code(code)()) if code else "it has no partitions"
            problems.append(f"topic {name} is unavailable: {reason}")
    return problems


def mongodb_state(settings: Settings) -> Answer:
    """Whether a primary takes writes."""
    from serving.mongodb.client import UnusableUri  # noqa: PLC0415 loads the client library

    try:
        return asyncio.run(_mongodb_state(settings))
    except UnusableUri as error:
        return Answer("not ready", "; ".join(error.problems))


async def _mongodb_state(settings: Settings) -> Answer:
    """Raises UnusableUri, which names what is wrong with mongodb.uri."""
    from pymongo.errors import ConnectionFailure, PyMongoError  # noqa: PLC0415 loads the client library

    from serving.mongodb.client import new_client, why  # noqa: PLC0415 the same
    from serving.mongodb.watch import no_primary  # noqa: PLC0415 the same

    client = new_client(
        settings.mongodb,
        "tallymill",
        serverSelectionTimeoutMS=CLIENT_MILLIS,
        connectTimeoutMS=CONNECT_MILLIS,
        socketTimeoutMS=CLIENT_MILLIS,
    )
    try:
        hello = await client.admin.command("hello")
    except ConnectionFailure as error:
        return Answer("no answer", no_primary(client.topology_description) or why(error))
    except PyMongoError as error:
        return Answer("not ready", why(error))
    finally:
        await client.close()
    return (
        READY if hello.get("isWritablePrimary") else Answer("not ready", "there is no primary, so writes are refused")
    )
