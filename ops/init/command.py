"""`tallymill init`: creates what is missing and checks the rest. Run before the first start; safe to repeat."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaTimeoutError
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import CollectionInvalid, OperationFailure

from consumer.kafka.topic_id import topic_identity
from consumer.mongo.store import known_lineage
from consumer.ports import TopicIdentity, Unavailable, UnknownLineage
from ops.config import Settings, load_settings
from ops.connect import Document, NotReachable, database, kafka_admin, kafka_consumer
from ops.errors import BadInput
from ops.init import mongo_layout
from ops.init.canary_event import canary_event
from ops.init.finding import Finding
from ops.init.topics import TopicInit
from ops.layout import require_no_newer_layout, write_layout, wrong_layouts
from ops.lineage.store import NewLineage, StartedMeanwhile, insert_lineage, newest_lineage
from ops.output import EXIT_OK, EXIT_WRONG, print_table, say
from ops.topic import bounds_of, identity_of, partitions_of
from schemas import requirements
from schemas.documents import PERIOD_COUNTS, REFUSALS
from schemas.settings import APIS

# A fresh topic is known to all brokers within a second or so; one of hundreds of partitions within half a minute.
TOPIC_APPEARS_TRIES = 300
TOPIC_APPEARS_PAUSE_SECONDS = 0.2

# Each try takes ten seconds at most. A broker makes a thousand partitions in about as long.
FIRST_BOUNDS_TRIES = 6


async def init(*, as_json: bool, add_partitions: bool = False, partitions: int | None = None) -> int:
    """Exit status 1 if something has to be changed by hand."""
    findings = await initialise(load_settings(), add_partitions=add_partitions, partitions=partitions)
    if as_json:
        say(json.dumps([asdict(finding) for finding in findings]))
    else:
        print_findings(findings)
    return EXIT_WRONG if wrong(findings) else EXIT_OK


def print_findings(findings: Sequence[Finding]) -> None:
    print_table(("what", "state", "detail"), [(f.what, f.state, f.detail) for f in findings])


async def initialise(
    settings: Settings, *, add_partitions: bool = False, partitions: int | None = None
) -> list[Finding]:
    """Create or check everything. What is wrong is a Finding. With `partitions`, both topics get so many.

    Raises SettingsError, NotReachable; BadInput, before anything is changed, if a topic has more partitions, or a
    newer version has written the database.
    """
    async with kafka_admin(settings) as admin, kafka_consumer(settings) as reader, database(settings) as db:
        await require_no_newer_layout(db)
        topics = [TopicInit(admin, reader, settings, api, partitions) for api in APIS]
        if partitions is not None and (problems := [one for topic in topics for one in await topic.why_not()]):
            raise BadInput(problems)
        findings: list[Finding] = []
        for topic in topics:
            findings += await topic.findings(add_partitions=add_partitions or partitions is not None)
        findings += await _collections(db)
        findings.append(await _refusals(db, settings.mongodb.refusals_bytes))
        findings += [Finding(what, "wrong", one) for what, found in (await wrong_layouts(db)).items() for one in found]
        findings += [await _index(db, index) for index in requirements.indexes(settings.kafka, settings.limits)]
        findings += [await _view(db, name) for name in mongo_layout.VIEWS]
        findings.append(await canary_event(db))
        for api in APIS:
            await _identity(admin, settings.kafka.topic(api))
        async with kafka_consumer(settings) as consumer:
            findings += [await _lineage(db, consumer, settings.kafka.topic(api)) for api in APIS]
        await write_layout(db)
    return findings


async def _collections(db: AsyncDatabase[Document]) -> list[Finding]:
    existing = set(await db.list_collection_names())
    return list(await asyncio.gather(*(_collection(db, name, existing) for name in mongo_layout.COLLECTIONS)))


async def _collection(db: AsyncDatabase[Document], name: str, existing: set[str]) -> Finding:
    if name in existing:
        return Finding(f"collection {name}", "there")
    try:
        await _create_collection(db, name)
    except CollectionInvalid:  # another init was quicker
        return Finding(f"collection {name}", "there")
    return Finding(f"collection {name}", "made")


async def _create_collection(db: AsyncDatabase[Document], name: str) -> None:
    """With its options, or without them where the server does not take them: hosted ones may not."""
    try:
        await db.create_collection(name, **mongo_layout.COLLECTION_OPTIONS.get(name, {}))
    except OperationFailure:
        await db.create_collection(name)


async def _refusals(db: AsyncDatabase[Document], size_bytes: int) -> Finding:
    """The capped collection: MongoDB removes its oldest refusals to store new ones."""
    what = f"collection {REFUSALS}"
    try:
        if (options := await refusals_options(db)) is None:
            await db.create_collection(REFUSALS, capped=True, size=size_bytes)
            return Finding(what, "made", f"capped at {size_bytes} bytes")
    except CollectionInvalid:  # another init was quicker
        options = await refusals_options(db)
    problem = requirements.wrong_refusals(options, size_bytes)
    return Finding(what, "wrong" if problem else "there", problem or "")


async def refusals_options(db: AsyncDatabase[Document]) -> Mapping[str, Any] | None:
    """The options of the collection of refusals; None if it is not there."""
    async for found in await db.list_collections(filter={"name": REFUSALS}):
        options: Mapping[str, Any] = found.get("options", {})
        return options
    return None


async def _index(db: AsyncDatabase[Document], index: requirements.Index) -> Finding:
    what = f"index {index.collection}.{index.name}"
    found: Mapping[str, Any] | None = (await db[index.collection].index_information()).get(index.name)
    if found is None:
        await create_index(db, index)
        return Finding(what, "made")
    problem = requirements.wrong_index(found, index)
    return Finding(what, "wrong" if problem else "there", problem or "")


async def create_index(db: AsyncDatabase[Document], index: requirements.Index) -> None:
    ttl: dict[str, Any] = {} if index.expire_seconds is None else {"expireAfterSeconds": index.expire_seconds}
    await db[index.collection].create_index(index.key, name=index.name, **ttl)


async def _view(db: AsyncDatabase[Document], name: str) -> Finding:
    if name in await db.list_collection_names():
        return Finding(f"view {name}", "there")
    await db.create_collection(name, viewOn=PERIOD_COUNTS, pipeline=mongo_layout.VIEWS[name]())
    return Finding(f"view {name}", "made")


async def _identity(admin: AIOKafkaAdminClient, topic: str) -> TopicIdentity:
    problem: Unavailable | None = None
    for _ in range(TOPIC_APPEARS_TRIES):
        try:
            return await topic_identity(admin._client, topic)  # noqa: SLF001 its connection has no public name
        except Unavailable as error:
            problem = error
            await asyncio.sleep(TOPIC_APPEARS_PAUSE_SECONDS)
    raise NotReachable(str(problem))


async def _lineage(db: AsyncDatabase[Document], consumer: AIOKafkaConsumer, name: str) -> Finding:
    """The first lineage of a topic. If a topic was created again under its name, an operator has to decide."""
    topic = await identity_of(consumer, name)
    newest = await newest_lineage(db, name)
    if newest is None:
        return await _first_lineage(db, consumer, topic)
    try:
        return Finding(f"lineage {known_lineage(topic, newest)}", "there", topic.topic)
    except UnknownLineage as error:
        return Finding(f"lineage of {topic.topic}", "wrong", str(error))


async def _first_lineage(db: AsyncDatabase[Document], consumer: AIOKafkaConsumer, topic: TopicIdentity) -> Finding:
    """Starts at the begin of the log: older records were removed by retention and can't be counted."""
    bounds = await _first_bounds(consumer, topic.topic)
    start = NewLineage(topic, 1, {partition: begin for partition, (begin, _) in bounds.items()}, "init")
    try:
        lineage = await insert_lineage(db, start)
    except StartedMeanwhile:  # another init was quicker
        return Finding(f"lineage of {topic.topic}", "there", "created by another `init` at the same time")
    return Finding(f"lineage {lineage}", "made", topic.topic)


async def _first_bounds(consumer: AIOKafkaConsumer, topic: str) -> Mapping[int, tuple[int, int]]:
    """The bounds of a new topic, once each of its partitions has a leader. Raises KafkaTimeoutError."""
    partitions = await partitions_of(consumer, topic)
    for _ in range(FIRST_BOUNDS_TRIES - 1):
        try:
            return await bounds_of(consumer, topic, partitions)
        except KafkaTimeoutError:
            continue
    return await bounds_of(consumer, topic, partitions)


def wrong(findings: Sequence[Finding]) -> list[Finding]:
    """What has to be changed by hand."""
    return [finding for finding in findings if finding.state == "wrong"]
