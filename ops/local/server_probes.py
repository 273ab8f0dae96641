"""What `status` asks Kafka and MongoDB, whoever runs them: whether they can take and count records now."""

import asyncio
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from typing import Any

from ops.config import Settings, SettingsError
from ops.local.probes import ANSWER_SECONDS, READY, Answer, why_no_answer

_UNKNOWN_TOPIC = 3

# A client gives up, and says why, before `status` stops waiting for it.
CLIENT_MILLIS = int(ANSWER_SECONDS * 1000 * 0.8)


def kafka_state(settings: Settings) -> Answer:
    """Whether a broker serves both topics: each partition must have a leader.

    A plain connection is asked with one Metadata request that makes no topic: a client library would retry and log
    where we want a plain no. TLS and SASL are the client library's to speak.
    """
    kafka = settings.kafka
    if not kafka.bootstrap_servers:
        return Answer("not ready", "kafka.bootstrap_servers is not set")
    topics = (kafka.records_topic, kafka.analytics_topic)
    if kafka.security_protocol != "PLAINTEXT":
        return _secured_kafka_state(settings, topics)
    return brokers_state([one.strip() for one in kafka.bootstrap_servers.split(",")], topics)


def brokers_state(addresses: Sequence[str], topics: Sequence[str]) -> Answer:
    """What the first of these brokers that answers says. They are asked one after the other, in the time of one."""
    deadline, failures = time.monotonic() + ANSWER_SECONDS, []
    for number, address in enumerate(addresses):
        share = max(0.01, (deadline - time.monotonic()) / (len(addresses) - number))
        try:
            found = _metadata(address, topics, share)
        except (OSError, EOFError) as error:
            failures.append(f"{address}: {why_no_answer(error)}")
            continue
        return metadata_state(found)
    return Answer("no answer", "; ".join(failures))


def metadata_state(found: Any) -> Answer:  # noqa: ANN401 aiokafka's response structs have no types
    """What a Metadata response (version 4) comes to."""
    if not found.brokers:
        return Answer("not ready", "it is not part of a cluster yet")
    problems = topic_problems(
        (name, code, [(number, leader) for _, number, leader, *_ in partitions])
        for code, name, _, partitions in found.topics
    )
    return Answer("not ready", "; ".join(problems)) if problems else READY


def topic_problems(topics: Iterable[tuple[str, int, Sequence[tuple[int, int]]]]) -> list[str]:
    """What is wrong with topics, each given with its error code and (partition, leader) pairs; no leader is -1."""
    problems = []
    for name, code, partitions in topics:
        leaderless = sorted(number for number, leader in partitions if leader < 0)
        if code == _UNKNOWN_TOPIC:
            problems.append(f"topic {name} is missing: run `tallymill init`")
        elif leaderless:
            problems.append(f"topic {name}: no leader for partitions {', '.join(map(str, leaderless))}")
        elif not partitions:
            problems.append(f"topic {name} can't be served now (Kafka's error code {code})")
    return problems


def _metadata(address: str, topics: Sequence[str], seconds: float) -> Any:  # noqa: ANN401 the same
    """Ask one broker for these topics, without making them. Raises OSError, EOFError."""
    from io import BytesIO  # noqa: PLC0415

    from aiokafka.protocol.api import RequestHeader_v1  # noqa: PLC0415 loads the client library
    from aiokafka.protocol.metadata import MetadataRequest_v4, MetadataResponse_v4  # noqa: PLC0415 the same

    request = MetadataRequest_v4(list(topics), False)  # noqa: FBT003 its fields have no names
    body = RequestHeader_v1(request, correlation_id=1, client_id="tallymill").encode() + request.encode()
    host, _, port = address.rpartition(":")
    give_up = time.monotonic() + seconds
    with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        (length,) = struct.unpack(">i", _read(connection, 4, give_up))
        return MetadataResponse_v4.decode(BytesIO(_read(connection, length, give_up)[4:]))


def _read(connection: socket.socket, count: int, give_up: float) -> bytes:
    """So many bytes, however slowly they drip, but no later than `give_up`."""
    parts = b""
    while len(parts) < count:
        if (left := give_up - time.monotonic()) <= 0:
            raise TimeoutError
        connection.settimeout(left)
        part = connection.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


def _secured_kafka_state(settings: Settings, topics: Sequence[str]) -> Answer:
    """The same through the client library, which speaks TLS and SASL. An absent topic is not made either."""
    from ops.connect import NotReachable  # noqa: PLC0415 loads the client libraries

    try:
        return asyncio.run(asyncio.wait_for(_described(settings, topics), ANSWER_SECONDS))
    except (NotReachable, SettingsError, TimeoutError) as error:
        return Answer("no answer", str(error) or f"no answer within {ANSWER_SECONDS:g} s")


async def _described(settings: Settings, topics: Sequence[str]) -> Answer:
    from ops.connect import kafka_admin  # noqa: PLC0415 the same

    async with kafka_admin(settings) as admin:
        there = set(await admin.list_topics())
        found = await admin.describe_topics([name for name in topics if name in there])
    leaders = {
        one["topic"]: (one["error_code"], [(part["partition"], part["leader"]) for part in one["partitions"]])
        for one in found
    }
    problems = topic_problems((name, *leaders.get(name, (_UNKNOWN_TOPIC, ()))) for name in topics)
    return Answer("not ready", "; ".join(problems)) if problems else READY


def mongodb_state(settings: Settings) -> Answer:
    """Whether a primary takes writes."""
    from pymongo import MongoClient  # noqa: PLC0415 the client library
    from pymongo.errors import ConnectionFailure, PyMongoError  # noqa: PLC0415 the same

    if settings.mongodb.uri is None:
        return Answer("not ready", "mongodb.uri is not set")
    try:
        with MongoClient[dict[str, Any]](
            settings.mongodb.uri.get_secret_value(),
            appname="tallymill",
            serverSelectionTimeoutMS=CLIENT_MILLIS,
            connectTimeoutMS=CLIENT_MILLIS,
            socketTimeoutMS=CLIENT_MILLIS,
        ) as client:
            try:
                hello = client.admin.command("hello")
            except ConnectionFailure:
                return Answer("no answer", _no_primary(client))
    except PyMongoError as error:
        code = getattr(error, "code", None)
        return Answer("not ready", _REFUSALS.get(code or 0, f"it refuses the question (code {code})"))
    return READY if hello.get("isWritablePrimary") else Answer("not ready", "it is no primary: writes are refused")


_REFUSALS = {
    0: "mongodb.uri can't be used: see `tallymill doctor`",
    13: "its user may not connect: not authorized (see mongodb.uri)",
    18: "authentication failed: wrong user or password in mongodb.uri",
}


def _no_primary(client: Any) -> str:  # noqa: ANN401 a MongoClient, whose library is loaded late
    """Which members answer, and in which role."""
    members = client.topology_description.server_descriptions()
    told = [f"{host}:{port} {_member(one)}" for (host, port), one in sorted(members.items())]
    return f"no primary answers within {ANSWER_SECONDS:g} s ({'; '.join(told)})"


def _member(member: Any) -> str:  # noqa: ANN401 a ServerDescription
    if member.is_server_type_known:
        return f"is {member.server_type_name}"
    return "refuses connections" if "refused" in str(member.error) else "doesn't answer"
