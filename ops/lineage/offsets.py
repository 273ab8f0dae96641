"""Where a new lineage starts: reads --from, refuses offsets whose records could count twice, and names lost ones. Pure.

A record counts once because its id is stored. Records below the checkpoint may be read again only if they are younger
than the time that ids are kept: older ones would count a second time.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.lineage.losses import Why, minus
from schemas.checkpoints import LostRange
from schemas.documents import utc

EXAMPLE = '{"0": 17, "1": 0}'


class BadStart(ValueError):
    """The start can't be used. One sentence for each problem."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True, slots=True)
class PartitionNow:
    """A partition now: the offsets of its log, and the next offset to apply in the present lineage.

    `applied_to` is None if nothing of this log was applied: the topic was created again, or the partition was added.
    """

    partition: int
    begin: int
    end: int
    applied_to: int | None = None
    counted: Sequence[tuple[int, int]] = ()
    """Offsets of this log that older lineages have counted; ends exclusive."""
    is_same_topic: bool = True
    """Whether the topic is that of the present lineage: then a partition without a checkpoint was added to it."""
    cut_at: int | None = None
    """Where the log was cut below `applied_to`: from here on it holds other records than the counted ones."""


def starts_of(text: str, partitions: Mapping[int, PartitionNow]) -> dict[int, int]:
    """`beginning`, `end`, one number for all partitions, or a JSON map of partition to offset. Raises BadStart."""
    if text == "beginning":
        return {number: now.begin for number, now in partitions.items()}
    if text == "end":
        return {number: now.end for number, now in partitions.items()}
    starts = _parsed(text, partitions)
    problems = list(_wrong_offsets(starts, partitions))
    if problems:
        raise BadStart(*problems)
    return starts


def _parsed(text: str, partitions: Mapping[int, PartitionNow]) -> dict[int, int]:
    try:
        asked = json.loads(text)
    except ValueError:
        raise BadStart(f"--from {text}: must be beginning, end, an offset, or JSON such as {EXAMPLE}") from None
    if _is_offset(asked):
        return dict.fromkeys(partitions, asked)
    if not isinstance(asked, dict) or not all(key.isdecimal() and _is_offset(at) for key, at in asked.items()):
        raise BadStart(f"--from {text}: must map partitions to offsets, such as {EXAMPLE}")
    return {int(key): at for key, at in asked.items()}


def _is_offset(value: Any) -> bool:  # noqa: ANN401 whatever JSON holds
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _wrong_offsets(starts: Mapping[int, int], partitions: Mapping[int, PartitionNow]) -> Iterator[str]:
    if missing := sorted(partitions.keys() - starts.keys()):
        yield f"--from: partitions {_listed(missing)} are missing. Every partition needs an offset"
    if unknown := sorted(starts.keys() - partitions.keys()):
        yield f"--from: the topic has no partitions {_listed(unknown)}"
    for number, now in partitions.items():
        start = starts.get(number)
        if start is not None and not now.begin <= start <= now.end:
            yield f"--from: partition {number} can start at offsets {now.begin} to {now.end}, not at {start}"


def _listed(partitions: Iterable[int]) -> str:
    return ", ".join(map(str, partitions))


def to_be_checked(text: str, starts: Mapping[int, int], partitions: Mapping[int, PartitionNow]) -> list[int]:
    """Partitions whose first record must be young enough: those that start below their checkpoint, or `beginning`."""
    return [
        number
        for number, start in starts.items()
        if start < (now := partitions[number]).end
        and (text == "beginning" or now.applied_to is None or start < now.applied_to)
    ]


def too_old(times: Mapping[int, int | None], known_seconds: int, now: datetime) -> list[str]:
    """Why reading may not start there: the time (ms) of each partition's first record must lie where ids are kept."""
    problems = []
    for partition, millis in sorted(times.items()):
        if millis is None:
            problems.append(
                f"partition {partition}: Kafka did not return its first record, so its age is unknown. Try again"
            )
        elif (age := (now - utc(millis)).total_seconds()) >= known_seconds:
            problems.append(
                f"partition {partition}: its first record is {age:.0f} s old, but ids are kept for {known_seconds} s: "
                "older records would be counted a second time. Start at a younger record (batches: dedupe_window + "
                "retention; items: event_retention + retention)"
            )
    return problems


def warnings_of(starts: Mapping[int, int], partitions: Mapping[int, PartitionNow]) -> list[str]:
    """Which offsets the new start reads again."""
    warnings = []
    for number, start in sorted(starts.items()):
        now = partitions[number]
        counted_to = now.applied_to if now.cut_at is None else now.cut_at
        if counted_to is not None and start < counted_to:
            warnings.append(
                f"partition {now.partition}: offsets {start} to {counted_to - 1} are read again. Records that were "
                f"counted become duplicates, because their ids are stored"
            )
    return warnings


def given_up(starts: Mapping[int, int], partitions: Mapping[int, PartitionNow]) -> list[LostRange]:
    """Offsets that the new start leaves out uncounted, for its document."""
    return [one for number, start in sorted(starts.items()) for one in _given_up(start, partitions[number])]


def _given_up(start: int, now: PartitionNow) -> Iterator[LostRange]:
    if now.cut_at is not None:
        # Older lineages may have counted offsets of the old log, so nothing is subtracted.
        yield _lost(now, now.applied_to or 0, None, "cut")
        if start > (first := max(now.cut_at, now.begin)):
            yield _lost(now, first, start, "left_out")
        return
    first = now.applied_to or 0
    # For another topic it is unknown whether its removed records were ever acknowledged.
    if now.is_same_topic:
        for lost in minus((first, min(now.begin, start)), now.counted):
            yield _lost(now, *lost, "removed")
    for lost in minus((max(first, now.begin), start), now.counted):
        yield _lost(now, *lost, "left_out")


def _lost(now: PartitionNow, first: int, end: int | None, why: Why) -> LostRange:
    return {"partition": now.partition, "from": first, "to": end, "why": why}


def lost_with_topic(checkpoints: Mapping[str, Mapping[str, Any]]) -> list[LostRange]:
    """The records after the old checkpoints: they can't be known once the topic is another one."""
    return [
        {"partition": int(key.rpartition("/")[2]), "from": checkpoint["next"], "to": None, "why": "topic_gone"}
        for key, checkpoint in sorted(checkpoints.items())
    ]
