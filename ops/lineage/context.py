"""Lineages and the state of their partitions: checkpoints compared with the logs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumer.core.position import Bounds, Checkpoint, LogTruncated, where_to_read
from ops.lineage.losses import counted_by
from ops.lineage.offsets import PartitionNow
from ops.lineage.store import Database
from ops.topic import TopicNow
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, LINEAGES, owned_by

Document = dict[str, Any]

NO_CUTS: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition of a lineage: its position, the offsets of its log, and whether reading can continue."""

    partition: str
    next: int | None
    last: int | None
    begin: int | None
    end: int | None
    state: str
    """ok, behind, lost (also cut), stopped, old (replaced by a newer lineage), unknown (no topic to compare with)."""
    detail: str = ""


async def lineages_of(db: Database, topic: str | None = None) -> list[Document]:
    """Oldest first, of one topic or of all."""
    found = db[LINEAGES].find({"topic": topic} if topic else {})
    return sorted([lineage async for lineage in found], key=lambda one: (one["topic"], one["generation"]))


async def checkpoints_of(db: Database, lineage: str) -> dict[str, Document]:
    """By `_id`."""
    return {checkpoint["_id"]: checkpoint async for checkpoint in db[CHECKPOINTS].find(owned_by(lineage))}


def partition_states(
    lineage: Document,
    checkpoints: Mapping[str, Document],
    topic: TopicNow,
    cuts: Mapping[str, int] = NO_CUTS,
    *,
    in_force: bool,
) -> list[PartitionState]:
    """Every partition that the log or a checkpoint knows. `cuts`: where a log was cut, by checkpoint (cuts.py)."""
    named = {int(key.rpartition("/")[2]) for key in checkpoints}
    is_ours = topic.is_of(lineage)
    numbers = sorted(named | (topic.bounds.keys() if is_ours and in_force else set()))
    states = []
    for number in numbers:
        key = str(PartitionId(lineage["_id"], number))
        bounds = topic.bounds.get(number) if is_ours else None
        overall = _overall(topic, is_ours=is_ours, in_force=in_force)
        if overall is None and key in cuts:
            overall = "lost", cut_text(cuts[key], checkpoints[key]["next"], bounds)
        checkpoint = checkpoints.get(key)
        following = checkpoint["next"] if checkpoint else None
        last = checkpoint["last"]["offset"] if checkpoint and checkpoint["last"] else None
        begin, end = bounds or (None, None)
        state, detail = overall or _judged(checkpoint, bounds)
        states.append(PartitionState(key, following, last, begin, end, state, detail))
    return states


def cut_text(cut_at: int, following: int, bounds: tuple[int, int] | None) -> str:
    """Where a log was cut, and how many records are not counted because of it."""
    below = min(following, bounds[1] if bounds else following)
    uncounted = (
        f"Offsets {cut_at} to {below - 1} hold up to {below - cut_at} records that are not counted: start a lineage at "
        f"{cut_at} (`tallymill lineage start`)"
        if below > cut_at
        else "No record was written there since"
    )
    return f"the log was cut at {cut_at}, but offsets below {following} were counted. {uncounted}"


def _overall(topic: TopicNow, *, is_ours: bool, in_force: bool) -> tuple[str, str] | None:
    """The state that all partitions share, if there is one."""
    if not in_force:
        return "old", "a newer lineage has replaced it"
    if topic.identity is None:
        return "unknown", topic.problem
    if not is_ours:
        return "lost", "the topic is another one: it was created again, or belongs to another cluster"
    return None


def _judged(checkpoint: Document | None, bounds: tuple[int, int] | None) -> tuple[str, str]:
    if bounds is None:
        return "lost", "the topic has no such partition"
    begin, end = bounds
    if checkpoint is None:
        waiting = f": {end - begin} records wait" if end > begin else ""
        return "behind" if end else "ok", f"no worker has read it yet{waiting}"
    try:
        where_to_read(Checkpoint(checkpoint["next"], checkpoint["last"]), Bounds(begin, end))
    except LogTruncated as lost:
        return "lost", str(lost)
    if reason := checkpoint.get("stopped"):
        return "stopped", str(reason)
    behind = end - checkpoint["next"]
    return ("behind", f"{behind} offsets") if behind else ("ok", "")


def partitions_now(
    topic: TopicNow,
    lineages: Sequence[Document],
    checkpoints: Mapping[str, Document],
    cuts: Mapping[str, int] = NO_CUTS,
) -> dict[int, PartitionNow]:
    """What a new lineage of this topic is started against; `lineages` are all of it, oldest first."""
    of_this_topic = [one for one in lineages if topic.is_of(one)]
    newest = lineages[-1]
    is_same = topic.is_of(newest)
    found = {}
    for number, (begin, end) in topic.bounds.items():
        key = str(PartitionId(newest["_id"], number))
        following: int | None = checkpoints[key]["next"] if is_same and key in checkpoints else None
        cut_at = cuts.get(key)
        if cut_at is None and following is not None and end < following:
            cut_at = end
        found[number] = PartitionNow(
            number,
            begin,
            end,
            following,
            tuple(counted_by(checkpoints, of_this_topic, number)),
            is_same,
            cut_at,
        )
    return found
