"""`tallymill doctor`: checks everything that exactly-once counting depends on, and its cost. Changes nothing."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from ops.checks import keep_check
from ops.config import Settings, SettingsError, load_settings
from ops.connect import NotReachable, database, kafka_admin, kafka_consumer
from ops.doctor.check import Check
from ops.doctor.clocks import clocks
from ops.doctor.unread import unread_partitions
from ops.init.command import refusals_options
from ops.init.request_layout import request_layout
from ops.lineage.find import find_losses
from ops.lineage.losses import Loss, loss_text, open_losses
from ops.lineage.store import newest_lineage
from ops.output import EXIT_OK, EXIT_WRONG, print_table, say
from schemas import requirements
from schemas.documents import EVENTS, REFUSALS, REQUESTS
from schemas.mongod_risks import LIFETIME, lifetime_risk
from schemas.settings import APIS, Api, KafkaSettings
from schemas.topic_risks import MIN_IN_SYNC, UNCLEAN, TopicShape, more_partitions, too_few_partitions, topic_risks
from serving.kafka.topic import topic_config, topic_shape
from serving.mongodb import client as mongodb

# Bytes of one stored requestId on disk with its index entries, used while there are too few to measure. Measured with
# ids of 45 characters, 500 in a document.
REQUEST_BYTES = 70
ENOUGH_REQUESTS = 10_000
# Documents whose ids are counted; the others have as many on average.
SAMPLED_DOCUMENTS = 100

# MongoDB rounds the size of a capped collection up to a multiple of this.
ROUNDED_BYTES = 256

# Bytes of one stored item on disk with its index entries, used while there are too few items to measure. Measured with
# documents of 300 bytes (bench/pools.py).
EVENT_BYTES = 170
ENOUGH_EVENTS = 10_000

DAY_SECONDS = 86_400
MIB = 1 << 20


async def doctor(*, as_json: bool) -> int:
    """Exit status 1 if something is wrong."""
    settings, began = load_settings(), time.monotonic()
    checks = await examine(settings)
    seconds = time.monotonic() - began
    if as_json:
        say(json.dumps([asdict(check) for check in checks]))
    else:
        print_table(("what", "state", "detail"), [(c.what, c.state, c.detail) for c in checks])
    is_right = all(check.state != "wrong" for check in checks)
    await keep_check(settings, "doctor", ok=is_right, detail=summary(checks), seconds=seconds)
    return EXIT_OK if is_right else EXIT_WRONG


def summary(checks: Sequence[Check]) -> str:
    """One sentence. The first check that is wrong is quoted, or else the first warning."""
    by_state = {state: [check for check in checks if check.state == state] for state in ("wrong", "warning")}
    found = f"{len(checks)} checks, {len(by_state['wrong'])} wrong, {len(by_state['warning'])} warnings"
    first = [*by_state["wrong"], *by_state["warning"]][:1]
    return ". ".join([found, *(f"{check.what}: {check.detail}" for check in first)])


async def examine(settings: Settings) -> list[Check]:
    """All checks. An unavailable server is a check that is wrong."""
    examined = (_losses(settings), _kafka(settings), _mongodb(settings), clocks(settings), _workers(settings))
    return [check for checks in await asyncio.gather(*examined) for check in checks]


async def _workers(settings: Settings) -> list[Check]:
    """Whether a worker reads every partition. Empty if a server is unavailable: other checks say that."""
    try:
        async with kafka_consumer(settings) as consumer, database(settings) as db:
            topics = [settings.kafka.topic(api) for api in APIS]
            unread = await asyncio.gather(*(unread_partitions(consumer, db, topic) for topic in topics))
    except (NotReachable, SettingsError):
        return []
    return [check for topic, sentences in zip(topics, unread, strict=True) for check in unread_checks(topic, sentences)]


def unread_checks(topic: str, sentences: Sequence[str]) -> list[Check]:
    """Warnings, not errors: waiting records are counted when a worker reads them."""
    what = f"workers of {topic}"
    if not sentences:
        return [Check(what, "ok", "every partition with records is read")]
    mend = 'They are not counted until one does. Start workers, or see docs/operations.md, "A partition is not read"'
    return [Check(what, "warning", f"{sentence}. {mend}") for sentence in sentences]


async def _losses(settings: Settings) -> list[Check]:
    """Lost records. Empty if a server is unavailable: other checks say that."""
    try:
        return losses_checks(await find_losses(settings))
    except (NotReachable, SettingsError):
        return []


def losses_checks(losses: Sequence[Loss]) -> list[Check]:
    if not losses:
        return [Check("records", "ok", "none are lost")]
    lost = [Check("records", "wrong", loss_text(loss)) for loss in open_losses(losses)]
    return [*lost, *(Check("records", "warning", loss_text(one)) for one in losses if one.accepted is not None)]


async def _kafka(settings: Settings) -> list[Check]:
    try:
        async with kafka_admin(settings) as admin:
            reached = Check("kafka", "ok", f"{settings.kafka.bootstrap_servers} answers")
            topics = [await _topic(admin, settings, api) for api in APIS]
            return [reached, *(check for checks in topics for check in checks)]
    except (NotReachable, SettingsError) as error:
        mend = "Nothing is accepted without it. Start Kafka, or correct kafka.bootstrap_servers"
        return [Check("kafka", "wrong", f"{error}. {mend}")]


async def _topic(admin: AIOKafkaAdminClient, settings: Settings, api: Api) -> list[Check]:
    name = settings.kafka.topic(api)
    if name not in await admin.list_topics():
        missing = "missing: no batch of this API is accepted. Run `tallymill init`"
        return [Check(f"topic {name}", "wrong", missing)]
    config = (await topic_config(admin, name)).in_force
    shape = await topic_shape(admin, name)
    wanted = requirements.topic_config(settings.kafka, settings.limits, api)
    return topic_checks(name, shape, config, wanted, settings.kafka)


def topic_checks(
    name: str, shape: TopicShape, config: Mapping[str, str], wanted: Mapping[str, str], kafka: KafkaSettings
) -> list[Check]:
    """Checks of a topic's settings, partitions and replicas. `config`: in force; `wanted`: what must be."""
    what, found = f"topic {name}", shape.partitions
    wrong = [*requirements.wrong_topic_config(config, wanted), *filter(None, [too_few_partitions(found, kafka)])]
    warnings = [*topic_risks(config, shape, kafka), *filter(None, [more_partitions(found, kafka)])]
    checks = [Check(what, "wrong", problem) for problem in wrong]
    if not checks:
        checks = [Check(what, "ok", _topic_text(shape, config))]
    return [*checks, *(Check(what, "warning", warning) for warning in warnings)]


def _topic_text(shape: TopicShape, config: Mapping[str, str]) -> str:
    """What was looked at, where nothing is wrong."""
    found, kept_days = shape.partitions, int(config["retention.ms"]) / 1000 / DAY_SECONDS
    return (
        f"{found} partitions, for at most {found} workers; records kept for {kept_days:g} days; {MIN_IN_SYNC} "
        f"{config.get(MIN_IN_SYNC)} of {shape.replicas} replicas; {UNCLEAN} {config.get(UNCLEAN)}"
    )


async def _mongodb(settings: Settings) -> list[Check]:
    try:
        async with database(settings) as db:
            reached = [set_check(await db.client.admin.command("hello")), await _lifetime(db)]
            reached += [Check(one.what, "wrong", one.detail) for one in await request_layout(db)]
            reached += [await _index(db, index) for index in requirements.indexes(settings.kafka, settings.limits)]
            reached.append(refusals_check(await refusals_options(db), settings.mongodb.refusals_bytes))
            for topic in map(settings.kafka.topic, APIS):
                reached.append(lineage_check(topic, await newest_lineage(db, topic)))
            reached.append(cost_check(settings, await _stored_requests(db)))
            reached.append(events_check(settings, await _stored_events(db)))
            return reached
    except (NotReachable, SettingsError) as error:
        mend = "Nothing is counted without it. Start MongoDB, or correct mongodb.uri"
        return [Check("mongodb", "wrong", f"{error}. {mend}")]


def set_check(hello: dict[str, Any]) -> Check:
    """Transactions need a replica set or a sharded cluster. An arbiter weakens what "majority" means."""
    if problems := requirements.wrong_mongod(hello):
        return Check("mongodb", "wrong", "; ".join(problems))
    if hello.get("arbiters"):
        arbiters = ", ".join(hello["arbiters"])
        mend = "Replace them with members that hold data (rs.remove, rs.add)"
        risk = "if one data member is unavailable, nothing can be committed"
        return Check("mongodb", "warning", f"the set has arbiters ({arbiters}): {risk}. {mend}")
    members = len(hello.get("hosts", ())) or 1
    return Check("mongodb", "ok", f"{hello.get('setName', 'sharded cluster')}, {members} member(s)")


async def _lifetime(db: AsyncDatabase[dict[str, Any]]) -> Check:
    """Mongos does not know it, and a user may lack the privilege to read it."""
    try:
        found = await db.client.admin.command({"getParameter": 1, LIFETIME: 1})
    except OperationFailure as error:
        return lifetime_check(None, mongodb.why(error))
    return lifetime_check(found[LIFETIME])


def lifetime_check(seconds: float | None, unknown: str = "") -> Check:
    risk = lifetime_risk(seconds, unknown)
    if risk:
        return Check("transactions", risk.state, risk.sentence)
    return Check("transactions", "ok", f"{LIFETIME} is {seconds:g}")


async def _index(db: AsyncDatabase[dict[str, Any]], index: requirements.Index) -> Check:
    what = f"index {index.collection}.{index.name}"
    found = (await db[index.collection].index_information()).get(index.name)
    if found is None:
        return Check(what, "wrong", f"missing: {requirements.missing_index(index)}. Run `tallymill init`")
    problem = requirements.wrong_index(found, index)
    return Check(what, "wrong" if problem else "ok", problem or "exists")


def refusals_check(options: Mapping[str, Any] | None, size_bytes: int) -> Check:
    """A warning: without it refusals can't be looked up, but no event is lost."""
    what = f"collection {REFUSALS}"
    if problem := requirements.wrong_refusals(options, size_bytes):
        return Check(what, "warning", problem)
    found: int = (options or {}).get("size", 0)
    if abs(found - size_bytes) >= ROUNDED_BYTES:
        change = f'db.runCommand({{collMod: "{REFUSALS}", cappedSize: {size_bytes}}}) (MongoDB 6.0 or later)'
        return Check(
            what,
            "warning",
            f"its size is {found} bytes, mongodb.refusals_bytes is {size_bytes}. To change it: {change}",
        )
    return Check(what, "ok", f"capped at {found} bytes")


def lineage_check(topic: str, newest: dict[str, Any] | None) -> Check:
    if newest is None:
        return Check("lineage", "wrong", f"topic {topic} has no lineage: no worker starts. Run `tallymill init`")
    return Check("lineage", "ok", f"{newest['_id']} of {topic}, generation {newest['generation']}")


@dataclass(frozen=True, slots=True)
class StoredRequests:
    """The collection `requests`: how many ids it holds, and its size on disk with indexes."""

    ids: int
    disk_bytes: int


async def _stored_requests(db: AsyncDatabase[dict[str, Any]]) -> StoredRequests:
    if REQUESTS not in await db.list_collection_names():
        return StoredRequests(0, 0)
    documents, disk_bytes = await _size(db, REQUESTS)
    ids = {"$avg": {"$size": {"$ifNull": ["$keys", []]}}}
    stages: list[dict[str, Any]] = [{"$sample": {"size": SAMPLED_DOCUMENTS}}, {"$group": {"_id": None, "ids": ids}}]
    sampled = await (await db[REQUESTS].aggregate(stages)).to_list()
    return StoredRequests(round(documents * sampled[0]["ids"]) if sampled else 0, disk_bytes)


async def _size(db: AsyncDatabase[dict[str, Any]], collection: str) -> tuple[int, int]:
    """The documents of a collection, and its bytes on disk with indexes. It must exist: $collStats fails otherwise."""
    stats = await (await db[collection].aggregate([{"$collStats": {"storageStats": {}}}])).to_list()
    sizes = [one["storageStats"] for one in stats]  # one of each shard
    return sum(one["count"] for one in sizes), sum(one["storageSize"] + one["totalIndexSize"] for one in sizes)


def cost_check(settings: Settings, stored: StoredRequests) -> Check:
    """The cost of the dedupe window: ids a day x bytes."""
    days = requirements.remembered_seconds(settings.kafka, settings.limits) / DAY_SECONDS
    each_bytes = stored.disk_bytes / stored.ids if stored.ids >= ENOUGH_REQUESTS else REQUEST_BYTES
    return Check(
        "dedupe",
        "ok",
        f"window {settings.limits.dedupe_window_seconds} s; about {stored.ids} ids stored, each for {days:g} days, "
        f"of {each_bytes:,.0f} bytes: {each_bytes * 1_000_000 * days / MIB:,.0f} MiB for every million batches a day",
    )


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """The collection `events`: its size on disk with indexes, and the age of its oldest document."""

    documents: int
    disk_bytes: int
    oldest_seconds: float


async def _stored_events(db: AsyncDatabase[dict[str, Any]]) -> StoredEvents:
    if EVENTS not in await db.list_collection_names():
        return StoredEvents(0, 0, 0)
    documents, disk_bytes = await _size(db, EVENTS)
    oldest = await db[EVENTS].find_one({}, {"receivedAt": 1}, sort=[("receivedAt", 1)])
    return StoredEvents(
        documents=documents,
        disk_bytes=disk_bytes,
        oldest_seconds=(datetime.now(UTC) - oldest["receivedAt"]).total_seconds() if oldest else 0,
    )


def events_check(settings: Settings, stored: StoredEvents) -> Check:
    """The cost of stored items: documents a day x bytes x days."""
    days = requirements.known_seconds(settings.kafka, settings.limits, "analytics") / DAY_SECONDS
    is_enough = stored.documents >= ENOUGH_EVENTS
    each_bytes = stored.disk_bytes / stored.documents if is_enough else EVENT_BYTES
    a_day = stored.documents / max(1.0, stored.oldest_seconds / DAY_SECONDS)
    return Check(
        "events",
        "ok",
        f"{stored.documents} items stored, each for {days:g} days. A repeat within that time is a duplicate. "
        f"About {a_day:,.0f} a day x {each_bytes:,.0f} bytes: {a_day * each_bytes * days / MIB:,.0f} MiB at this rate, "
        f"{each_bytes * 1_000_000 * days / MIB:,.0f} MiB for every million items a day",
    )
