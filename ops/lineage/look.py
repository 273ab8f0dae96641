"""Lineages as they stand: every one there is, and each partition of the one in force, held against its log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consumer.core.position import Bounds, Checkpoint, Lost, where_to_read
from ops.lineage.offsets import PartitionNow
from ops.lineage.store import Database
from ops.topic import TopicNow
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, LINEAGES

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition of a lineage: how far it is, what its log holds, and whether it can go on."""

    partition: str
    next: int | None
    last: int | None
    begin: int | None
    end: int | None
    state: str
    """ok, behind, lost, stopped, old (a newer lineage is in force), unknown (no topic to compare with)."""
    detail: str = ""


async def lineages_of(db: Database, topic: str | None = None) -> list[Document]:
    """Oldest first, of one topic or of all."""
    found = db[LINEAGES].find({"topic": topic} if topic else {})
    return sorted([lineage async for lineage in found], key=lambda one: (one["topic"], one["generation"]))


async def checkpoints_of(db: Database, lineage: str) -> dict[str, Document]:
    """By `_id` ('0' follows '/')."""
    found = db[CHECKPOINTS].find({"_id": {"$gte": f"{lineage}/", "$lt": f"{lineage}0"}})
    return {checkpoint["_id"]: checkpoint async for checkpoint in found}


def partition_states(
    lineage: Document, checkpoints: Mapping[str, Document], topic: TopicNow, *, in_force: bool
) -> list[PartitionState]:
    """Every partition that the log or a checkpoint knows."""
    named = {int(key.rpartition("/")[2]) for key in checkpoints}
    is_ours = topic.is_of(lineage)
    numbers = sorted(named | (topic.bounds.keys() if is_ours and in_force else set()))
    states = []
    for number in numbers:
        key = str(PartitionId(lineage["_id"], number))
        bounds = topic.bounds.get(number) if is_ours else None
        states.append(_state(key, checkpoints.get(key), bounds, _overall(topic, is_ours=is_ours, in_force=in_force)))
    return states


def _overall(topic: TopicNow, *, is_ours: bool, in_force: bool) -> tuple[str, str] | None:
    """The state of all partitions alike, if there is one."""
    if not in_force:
        return "old", "a newer lineage is in force"
    if topic.identity is None:
        return "unknown", topic.problem
    if not is_ours:
        return "lost", "the topic is another one now: made anew, or another cluster"
    return None


def _state(
    key: str, checkpoint: Document | None, bounds: tuple[int, int] | None, overall: tuple[str, str] | None
) -> PartitionState:
    begin, end = bounds or (None, None)
    following: int | None = checkpoint["next"] if checkpoint else None
    last = checkpoint["last"] if checkpoint else None
    state, detail = overall or _judged(checkpoint, bounds)
    return PartitionState(key, following, last["offset"] if last else None, begin, end, state, detail)


def _judged(checkpoint: Document | None, bounds: tuple[int, int] | None) -> tuple[str, str]:
    if bounds is None:
        return "lost", "the topic has no such partition"
    begin, end = bounds
    if checkpoint is None:
        waiting = f": {end - begin} records wait" if end > begin else ""
        return "behind" if end else "ok", f"no worker has taken it yet{waiting}"
    try:
        where_to_read(Checkpoint(checkpoint["next"], checkpoint["last"]), Bounds(begin, end))
    except Lost as lost:
        return "lost", str(lost)
    if reason := checkpoint.get("stopped"):
        return "stopped", str(reason)
    behind = end - checkpoint["next"]
    return ("behind", f"{behind} offsets") if behind else ("ok", "")


def partitions_now(topic: TopicNow, lineage: Document, checkpoints: Mapping[str, Document]) -> dict[int, PartitionNow]:
    """What a new lineage of this topic is started against."""
    known = checkpoints if topic.is_of(lineage) else {}
    found = {}
    for number, (begin, end) in topic.bounds.items():
        checkpoint = known.get(str(PartitionId(lineage["_id"], number)))
        found[number] = PartitionNow(number, begin, end, checkpoint["next"] if checkpoint else None)
    return found
