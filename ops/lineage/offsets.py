"""Where a new lineage starts: reading what was asked, refusing what could count twice, saying what is lost. Pure.

"Counts once" rests on remembered ids. A partition read again below what has been applied is safe only as far back
as ids are kept: older records would count a second time.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.documents import utc


class BadStart(ValueError):
    """The start asked for can't be; one sentence for each problem."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True, slots=True)
class PartitionNow:
    """A partition as it is: the offsets its log holds, and the next to apply by the lineage in force.

    `applied_to` is None where nothing of this very log has been applied: a topic made anew, a partition just added.
    """

    partition: int
    begin: int
    end: int
    applied_to: int | None = None


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
        raise BadStart(f"--from: {text!r} is neither beginning, end, a number nor a JSON map") from None
    if _is_offset(asked):
        return dict.fromkeys(partitions, asked)
    if not isinstance(asked, dict) or not all(key.isdecimal() and _is_offset(at) for key, at in asked.items()):
        raise BadStart('--from: a map looks like {"0": 17, "1": 0}')
    return {int(key): at for key, at in asked.items()}


def _is_offset(value: Any) -> bool:  # noqa: ANN401 whatever JSON holds
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _wrong_offsets(starts: Mapping[int, int], partitions: Mapping[int, PartitionNow]) -> Iterator[str]:
    if missing := sorted(partitions.keys() - starts.keys()):
        yield f"--from: partitions {missing} are missing; every partition needs an offset"
    if unknown := sorted(starts.keys() - partitions.keys()):
        yield f"--from: the topic has no partitions {unknown}"
    for number, now in partitions.items():
        start = starts.get(number)
        if start is not None and not now.begin <= start <= now.end:
            yield f"--from: partition {number} holds offsets {now.begin} to {now.end}, not {start}"


def to_be_checked(text: str, starts: Mapping[int, int], partitions: Mapping[int, PartitionNow]) -> list[int]:
    """Partitions whose first record must be young enough: all but those read on from where applying stands or later."""
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
            problems.append(f"partition {partition}: its first record did not come, so nobody knows how old it is")
        elif (age := (now - utc(millis)).total_seconds()) >= known_seconds:
            problems.append(
                f"partition {partition}: its first record is {age:.0f} s old, but ids are kept for "
                f"{known_seconds} s (batches: dedupe_window + retention; items: event_retention + retention): older "
                "records would be counted a second time"
            )
    return problems


def warnings_of(starts: Mapping[int, int], partitions: Mapping[int, PartitionNow]) -> list[str]:
    """What the new start leaves out, or reads again."""
    return [warning for number, start in sorted(starts.items()) for warning in _warnings(start, partitions[number])]


def _warnings(start: int, now: PartitionNow) -> Iterator[str]:
    first = now.begin if now.applied_to is None else now.applied_to
    if start > first:
        yield f"partition {now.partition}: offsets {first} to {start - 1} ({start - first}) will never be counted"
    if now.applied_to is not None and now.begin > now.applied_to:
        yield f"partition {now.partition}: offsets {now.applied_to} to {now.begin - 1} are gone from the log"
    if now.applied_to is not None and start < now.applied_to:
        yield (
            f"partition {now.partition}: offsets {start} to {now.applied_to - 1} are read again; the ids of those that "
            f"counted are remembered, so they end as duplicates"
        )


def lost_with_topic(old: Mapping[str, Any] | None, checkpoints: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What nobody can say any more once the topic itself is another: what lay behind the old checkpoints."""
    if old is None:
        return []
    return [
        f"{key}: what the old topic held from offset {checkpoint['next']} on is lost with it, if it held anything"
        for key, checkpoint in sorted(checkpoints.items())
    ]
