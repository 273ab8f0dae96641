"""Lost records: they were acknowledged, and no lineage counts them. Pure.

Rules:

- A loss is a range of offsets of one partition. Some offsets may hold control records of Kafka, and removed records
  can't be read, so the number of records is an upper bound.
- The present lineage has a loss if its log begins after the checkpoint (removed), was cut below it (cut) or is missing.
- The start of a lineage writes down what it leaves out of the one before (`lost`). Lineages that were started before
  2026-11-28 have no such note: they are compared with their predecessor.
- Records that a later lineage reads again are not lost.
- An operator may accept a loss, with a reason. The commands go on naming it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal, NamedTuple

from schemas.checkpoints import LostRange
from schemas.coordinates import PartitionId

Document = Mapping[str, Any]

Why = Literal["removed", "left_out", "cut", "topic_gone", "unknown"]

RANGES: tuple[Why, ...] = ("removed", "left_out")
"""Causes where the log may still hold the offsets, so that a later lineage may read them again."""

_WORDS: Mapping[Why, str] = {
    "removed": "were removed from the log before they were counted",
    "left_out": "were left out by the lineage's start",
    "cut": "the log was cut below the checkpoint",
    "topic_gone": "the topic was deleted, or another one has its name",
    "unknown": "the log can't be compared",
}


class Offsets(NamedTuple):
    """Offsets of a partition from `first` to below `end`; `end` None: the last one is unknown."""

    partition: int
    first: int
    end: int | None

    @property
    def records(self) -> int | None:
        return None if self.end is None else self.end - self.first


@dataclass(frozen=True, slots=True)
class Loss:
    """Records that are lost. `lineage` is the one whose document names the loss."""

    topic: str
    lineage: str
    offsets: Offsets
    why: Why
    detail: str = ""
    reason: str = ""
    """Why the lineage that left them out was started; empty if the present lineage has lost them."""
    accepted: str | None = None
    """Why an operator accepted it."""

    def as_range(self) -> LostRange:
        """As the lineage's document holds it."""
        partition, first, end = self.offsets
        return {"partition": partition, "from": first, "to": end, "why": self.why}

    def as_json(self) -> dict[str, Any]:
        """As `lineage --json` and `verify --json` print it."""
        fields = {name: getattr(self, name) for name in ("why", "detail", "reason", "accepted")}
        return {"topic": self.topic, "lineage": self.lineage, **self.offsets._asdict(), **fields}

    def __str__(self) -> str:
        where = f"{self.topic}, partition {self.offsets.partition}"
        given_up = f" (given up by lineage {self.lineage}: {self.reason})" if self.reason else ""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{where}: {self._extent()}{detail}{given_up}"

    def _extent(self) -> str:
        words, (_, first, end), count = _WORDS[self.why], self.offsets, self.offsets.records
        if self.why in RANGES and end is not None:
            return f"offsets {first} to {end - 1} {words}: up to {count} records"
        if self.why == "cut" and end is not None:
            uncounted = (
                f". Offsets {first} to {end - 1} hold up to {count} records that are not counted" if count else ""
            )
            return f"{words}, at offset {first}{uncounted}"
        if self.why == "unknown":
            return f"{words}. Whether records from offset {first} on are lost is unknown"
        return f"{words}. Any records from offset {first} on are lost"


@dataclass(frozen=True, slots=True)
class LogNow:
    """A topic now: its identity and bounds. Without a topic, `problem` says why."""

    cluster: str = ""
    topic_id: str = ""
    bounds: Mapping[int, tuple[int, int]] | None = None
    problem: str = ""

    def is_of(self, lineage: Document) -> bool:
        return (self.cluster, self.topic_id) == (lineage["cluster"], lineage["topicId"])


@dataclass(frozen=True, slots=True)
class Known:
    """The data that losses are found by.

    `checkpoints` were read before the logs, `next_offsets` after them: what a worker has counted in between is neither
    removed nor cut. `cuts`: where a log was cut, by checkpoint (cuts.py).
    """

    lineages: Sequence[Document]
    checkpoints: Mapping[str, Document]
    logs: Mapping[str, LogNow]
    cuts: Mapping[str, int]
    next_offsets: Mapping[str, int]


def losses_of(known: Known) -> list[Loss]:
    """All losses, accepted or not, oldest first."""
    ordered = sorted(known.lineages, key=lambda one: (one["topic"], one["generation"]))
    found: list[Loss] = []
    for _, group in groupby(ordered, key=lambda one: one["topic"]):
        found += _of_topic(known, list(group))
    return found


def open_losses(losses: Iterable[Loss]) -> list[Loss]:
    """Those that no operator has accepted."""
    return [loss for loss in losses if loss.accepted is None]


def lost_text(losses: Iterable[Loss]) -> str:
    """One line a loss, those not accepted first. Empty if there is none."""
    found = list(losses)
    accepted = [loss for loss in found if loss.accepted is not None]
    return "\n".join(map(loss_text, [*open_losses(found), *accepted]))


def loss_text(loss: Loss) -> str:
    """The line of one loss."""
    if loss.accepted is not None:
        return f"lost, accepted ({loss.accepted}): {loss}"
    return f"{'UNKNOWN' if loss.why == 'unknown' else 'LOST'}: {loss}"


def _of_topic(known: Known, lineages: Sequence[Document]) -> Iterator[Loss]:
    for i, lineage in enumerate(lineages):
        earlier, later = lineages[:i], lineages[i + 1 :]
        recorded = lineage.get("lost")
        given_up = (
            _derived(known, earlier, lineage)
            if recorded is None
            else [_given_up(lineage, one["partition"], one["from"], one["to"], one["why"]) for one in recorded]
        )
        for loss in given_up:
            for part in _minus_read_again(known, loss, lineage, later):
                yield _judged(part, lineage)
    for loss in _present(known, lineages[-1], lineages[:-1]):
        yield _judged(loss, lineages[-1])


def _given_up(lineage: Document, partition: int, first: int, end: int | None, why: Why) -> Loss:
    return Loss(lineage["topic"], lineage["_id"], Offsets(partition, first, end), why, reason=lineage["reason"])


def _derived(known: Known, earlier: Sequence[Document], lineage: Document) -> Iterator[Loss]:
    """What the start of a lineage without a note left out of its predecessors."""
    if not earlier:
        return
    same = _is_same_topic(earlier[-1], lineage)
    if not same:
        for partition, checkpoint in _checkpoints(known, earlier[-1]):
            yield _given_up(lineage, partition, checkpoint["next"], None, "topic_gone")
    for partition, checkpoint in _checkpoints(known, lineage):
        before = known.checkpoints.get(str(PartitionId(earlier[-1]["_id"], partition))) if same else None
        ours = [one for one in earlier if _is_same_topic(one, lineage)]
        counted = counted_by(known.checkpoints, ours, partition)
        for first, end in minus((before["next"] if before else 0, checkpoint["start"]), counted):
            yield _given_up(lineage, partition, first, end, "left_out")


def counted_by(
    checkpoints: Mapping[str, Document], lineages: Sequence[Document], partition: int
) -> list[tuple[int, int]]:
    """The offsets that lineages of one topic, oldest first, have counted of the log as it is.

    What was counted before the log was cut may have been other records.
    """
    found: list[tuple[int, int]] = []
    for lineage in lineages:
        if any((one["partition"], one["why"]) == (partition, "cut") for one in lineage.get("lost", ())):
            found.clear()
        found.append(_counted(checkpoints, lineage, partition))
    return found


def _counted(checkpoints: Mapping[str, Document], lineage: Document, partition: int) -> tuple[int, int]:
    found = checkpoints.get(str(PartitionId(lineage["_id"], partition)))
    return (found["start"], found["next"]) if found else (0, 0)


def _minus_read_again(known: Known, loss: Loss, lineage: Document, later: Sequence[Document]) -> Iterator[Loss]:
    """The parts of a loss that no later lineage has read again or will read."""
    if loss.why not in RANGES or loss.offsets.end is None:
        yield loss
        return
    again = [_counted(known.checkpoints, one, loss.offsets.partition) for one in later if _is_same_topic(one, lineage)]
    if again and _is_same_topic(later[-1], lineage):
        # The present lineage has read or will read all offsets from its start on. Without a checkpoint it is unknown.
        present = known.checkpoints.get(str(PartitionId(later[-1]["_id"], loss.offsets.partition)))
        again += [(present["start"], loss.offsets.end)] if present else []
    for first, end in minus((loss.offsets.first, loss.offsets.end), again):
        yield replace(loss, offsets=loss.offsets._replace(first=first, end=end))


def _present(known: Known, lineage: Document, earlier: Sequence[Document]) -> Iterator[Loss]:
    """What the present lineage has lost and no earlier one has counted."""
    log, topic, name = known.logs[lineage["topic"]], lineage["topic"], lineage["_id"]
    checkpoints = dict(_checkpoints(known, lineage))
    if log.bounds is None or not log.is_of(lineage):
        why: Why = "unknown" if log.bounds is None else "topic_gone"
        for partition, checkpoint in checkpoints.items():
            yield Loss(topic, name, Offsets(partition, checkpoint["next"], None), why, log.problem)
        return
    for partition in sorted(checkpoints.keys() | log.bounds.keys()):
        following = checkpoints[partition]["next"] if partition in checkpoints else 0
        if partition not in log.bounds:
            yield Loss(
                topic, name, Offsets(partition, following, None), "topic_gone", "the topic has no such partition"
            )
            continue
        key = str(PartitionId(name, partition))
        begin, end = log.bounds[partition]
        cut_at = known.cuts.get(key, end if end < following else None)
        if cut_at is not None:
            detail = f"offsets below {following} were counted from the old log; records after them are lost"
            yield Loss(topic, name, Offsets(partition, cut_at, max(cut_at, min(end, following))), "cut", detail)
        elif begin > (now := max(following, known.next_offsets.get(key, 0))):
            ours = [one for one in (*earlier, lineage) if _is_same_topic(one, lineage)]
            counted = counted_by(known.checkpoints, ours, partition)
            for first, last in minus((now, begin), counted):
                yield Loss(topic, name, Offsets(partition, first, last), "removed")


def _checkpoints(known: Known, lineage: Document) -> Iterator[tuple[int, Document]]:
    for key in sorted(key for key in known.checkpoints if key.partition("/")[0] == lineage["_id"]):
        yield int(key.rpartition("/")[2]), known.checkpoints[key]


def _judged(loss: Loss, lineage: Document) -> Loss:
    """The loss, accepted if an operator has accepted all of it."""
    reasons = [one["reason"] for one in lineage.get("accepted", ()) if _covers(one, loss)]
    return replace(loss, accepted=reasons[0]) if reasons else loss


def _covers(accepted: Document, loss: Loss) -> bool:
    is_same = (accepted["partition"], accepted["why"]) == (loss.offsets.partition, loss.why)
    if not is_same or loss.offsets.first < accepted["from"]:
        return False
    return accepted["to"] is None or (loss.offsets.end is not None and loss.offsets.end <= accepted["to"])


def _is_same_topic(one: Document, other: Document) -> bool:
    return bool((one["cluster"], one["topicId"]) == (other["cluster"], other["topicId"]))


def minus(whole: tuple[int, int], parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of a range is in none of the parts; ends exclusive."""
    left, end = whole
    found = []
    for first, last in sorted(one for one in parts if one[0] < one[1]):
        if left < min(first, end):
            found.append((left, min(first, end)))
        left = max(left, last)
    if left < end:
        found.append((left, end))
    return found
