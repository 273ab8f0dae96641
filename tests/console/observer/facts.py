"""What a step of the observer may have read."""

from typing import Any

from console.observer.facts import Facts, MongoFacts, TopicFacts
from console.observer.topics import Topic
from schemas.documents import FATES, utc
from tests.console.snapshots import NOW

TOPICS = (Topic("games", "records", 604_800), Topic("analytics", "pools", 604_800))


def lineage(topic: str = "records", generation: int = 1) -> dict[str, Any]:
    identity = {"cluster": "c", "topic": topic, "topicId": f"{topic}-{generation}", "generation": generation}
    return {"_id": f"{topic}{generation}", **identity}


def checkpoint(partition: int, following: int, lineage: str = "records1", start: int = 0, **of: Any) -> dict[str, Any]:  # noqa: ANN401 fields of the document
    """Everything between `start` and `following` was applied, unless `fates` or `gaps` say otherwise."""
    fates = dict.fromkeys(FATES, 0) | of.pop("fates", {})
    gaps = of.pop("gaps", 0)
    fates["applied"] = following - start - gaps - sum(fates.values())
    flushed = {"flushedAt": utc(NOW - 1_000)} if following > start else {}
    fields = {"start": start, "next": following, "fates": fates, "gaps": gaps, "owner": "w:1"}
    return {"_id": f"{lineage}/{partition:02}", **fields, **flushed, **of}


def mongodb(*checkpoints: dict[str, Any], **of: Any) -> MongoFacts:  # noqa: ANN401 fields
    lineages = of.pop("lineages", [lineage(), lineage("pools")])
    letters = of.pop("dead_letters_open", {})
    return MongoFacts(lineages, {one["_id"]: one for one in checkpoints}, letters, {}, **of)


def topic(*bounds: tuple[int, int] | None, name: str = "records", **of: Any) -> TopicFacts:  # noqa: ANN401 fields
    """`owned`: by default all partitions."""
    owned = of.pop("owned", frozenset(range(len(bounds))))
    return TopicFacts("c", of.pop("topic_id", f"{name}-1"), dict(enumerate(bounds)), of.pop("oldest", {}), owned)


def facts(found: Any, kafka: Any, at: int = NOW) -> Facts:  # noqa: ANN401 of any kind
    """`kafka`: the games topic. That of analytics is empty."""
    if isinstance(kafka, TopicFacts):
        kafka = {"records": kafka, "pools": topic((0, 0), name="pools")}
    return Facts(at, found, kafka)
