"""Finds the present losses: reads from MongoDB and Kafka what losses.py needs."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern

from ops.config import Settings
from ops.connect import database, kafka_consumer
from ops.lineage.cuts import cuts_of
from ops.lineage.losses import Document, Known, LogNow, Loss, losses_of
from ops.topic import TopicNow, topic_now
from schemas.documents import CHECKPOINTS, LINEAGES

Database = AsyncDatabase[dict[str, Any]]


async def find_losses(settings: Settings) -> list[Loss]:
    """All losses, accepted or not. Raises NotReachable, SettingsError."""
    async with database(settings) as db:
        lineages = [one async for one in _majority(db, LINEAGES).find()]
        checkpoints = {one["_id"]: one async for one in _majority(db, CHECKPOINTS).find()}
        topics = await topics_of(settings, lineages)
        cuts = await cuts_of(settings, newest_of(lineages), checkpoints, topics)
        return losses_of(await known_of(db, lineages, checkpoints, topics, cuts))


async def topics_of(settings: Settings, lineages: Sequence[Document]) -> dict[str, TopicNow]:
    """The topics of these lineages as they are now. Raises NotReachable, SettingsError."""
    if not lineages:  # aiokafka's consumer can't be stopped before it was used
        return {}
    async with kafka_consumer(settings) as consumer:
        return {name: await topic_now(consumer, name) for name in {one["topic"] for one in lineages}}


def newest_of(lineages: Sequence[Document]) -> list[Document]:
    """The present lineage of each topic."""
    ordered = sorted(lineages, key=lambda one: one["generation"])
    return list({one["topic"]: one for one in ordered}.values())


async def known_of(
    db: Database,
    lineages: Sequence[Document],
    checkpoints: Mapping[str, Document],
    topics: Mapping[str, TopicNow],
    cuts: Mapping[str, int],
) -> Known:
    """What was read, and the checkpoints' offsets read again after the logs."""
    found = _majority(db, CHECKPOINTS).find({}, {"next": 1})
    later = {one["_id"]: one["next"] async for one in found}
    return Known(lineages, checkpoints, {name: log_now(one) for name, one in topics.items()}, cuts, later)


def log_now(topic: TopicNow) -> LogNow:
    if topic.identity is None:
        return LogNow(problem=topic.problem)
    return LogNow(topic.identity.cluster, topic.identity.topic_id, topic.bounds)


def _majority(db: Database, collection: str) -> Any:  # noqa: ANN401 pymongo's collection
    return db.get_collection(collection, read_concern=ReadConcern("majority"))
