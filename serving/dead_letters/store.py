"""Dead letters: read from MongoDB, and produced to Kafka again. For `tallymill dead-letters` and for the console."""

import asyncio
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pymongo.asynchronous.database import AsyncDatabase

from schemas.coordinates import parse_coordinates
from schemas.documents import DEAD_LETTERS, LINEAGES
from serving.kafka.client import why

Database = AsyncDatabase[dict[str, Any]]
Document = dict[str, Any]

# After this the outcome is unknown: the letter is not marked, and may be redriven again. It can't count twice.
ACK_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters, and how many. `again`: also those that were redriven before."""

    reason: str | None = None
    identities: tuple[str, ...] | None = None
    limit: int = 1_000
    again: bool = True


def filter_of(chosen: Chosen) -> Document:
    """MongoDB's filter. The reason is plain text, not a pattern; case does not matter."""
    query: Document = {}
    if chosen.identities is not None:
        query["_id"] = {"$in": list(chosen.identities)}
    if chosen.reason:
        query["reason"] = {"$regex": re.escape(chosen.reason), "$options": "i"}
    if not chosen.again:
        query["redriven"] = {"$exists": False}
    return query


async def letters(db: Database, chosen: Chosen) -> list[Document]:
    """Oldest first, without the records' bytes."""
    fields = {"reason": 1, "at": 1, "redriven": 1, "key": 1, "cut": 1, "size": {"$binarySize": "$value"}}
    found = db[DEAD_LETTERS].find(filter_of(chosen), fields).sort("at", 1).limit(chosen.limit)
    return await found.to_list()


async def letter(db: Database, identity: str) -> Document | None:
    """One, whole."""
    return await db[DEAD_LETTERS].find_one({"_id": identity})


async def topics(db: Database) -> dict[str, str]:
    """The topic of each lineage."""
    return {lineage["_id"]: lineage["topic"] async for lineage in db[LINEAGES].find({}, {"topic": 1})}


def topic_of(found: Document, by_lineage: Mapping[str, str]) -> str | None:
    """The topic that a dead letter came from; None if its lineage is unknown."""
    return by_lineage.get(parse_coordinates(found["_id"]).lineage)


async def redrive(
    db: Database,
    producer: AIOKafkaProducer,
    identities: Sequence[str],
    rate: float | None,
    within_seconds: float = math.inf,
) -> tuple[int, str]:
    """Produce these again, one by one, at most `rate` a second, and mark each once Kafka has it.

    None is begun after `within_seconds`.

    Returns how many, and what stopped it. A crash between ack and mark leaves a letter that is redriven again: the
    same requestId, the same items, so it can't count twice.
    """
    by_lineage = await topics(db)
    began = time.monotonic()
    for done, identity in enumerate(identities):
        if rate:
            await asyncio.sleep(max(0.0, began + done / rate - time.monotonic()))
        if time.monotonic() - began > within_seconds:
            return done, f"stopped after {within_seconds:g} s"
        try:
            await _redrive_one(db, producer, by_lineage, identity)
        except (KafkaError, TimeoutError, LookupError) as error:
            # A LookupError is raised in this module with its reason.
            reason = str(error.args[0]) if isinstance(error, LookupError) and error.args else why(error)
            return done, f"dead letter {identity}: {reason}"
    return len(identities), ""


async def _redrive_one(db: Database, producer: AIOKafkaProducer, topic_of: Mapping[str, str], identity: str) -> None:
    """Raises LookupError if the letter no longer exists, was cut, or has an unknown topic; KafkaError, TimeoutError."""
    found = await letter(db, identity)
    if found is None:
        raise LookupError("it no longer exists")
    if "cut" in found:
        raise LookupError("only a part of the record was kept, because it was too large")
    lineage = parse_coordinates(identity).lineage
    if lineage not in topic_of:
        raise LookupError(f"the topic of its lineage {lineage} is unknown")
    # The same key, value and headers, so that it means the same record.
    headers = [(name, None if value is None else bytes(value)) for name, value in found["headers"]]
    sent = producer.send_and_wait(topic_of[lineage], bytes(found["value"]), key=found["key"], headers=headers)
    await asyncio.wait_for(sent, ACK_SECONDS)
    await db[DEAD_LETTERS].update_one({"_id": identity}, [{"$set": {"redriven": "$$NOW"}}])


def readable(found: Document) -> Document:
    """A dead letter as JSON: bytes as text if they are text, else as hex."""
    headers = [[name, None if value is None else text_of(value)] for name, value in found["headers"]]
    return {**summary(found), "headers": headers, "value": text_of(found["value"])}


def summary(found: Document) -> Document:
    """One line of the list."""
    at, redriven, cut = found["at"], found.get("redriven"), found.get("cut")
    return {
        "id": found["_id"],
        "at": at.isoformat(),
        "reason": found["reason"],
        "key": None if found["key"] is None else text_of(found["key"]),
        "bytes": cut["bytes"] if cut else found["size"] if "size" in found else len(found["value"]),
        "cut": cut,
        "redriven": redriven.isoformat() if redriven else None,
    }


def text_of(value: bytes) -> str:
    """Printable UTF-8 as it is. Anything else, such as control characters for a terminal, as `hex:...`."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"hex:{value.hex()}"
    return text if all(character.isprintable() or character in "\n\t\r" for character in text) else f"hex:{value.hex()}"
