"""What a recount found: differences, and the ranges it covers; as text and as JSON. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from ops.lineage.losses import Loss, lost_text, open_losses
from schemas.documents import FATES, utc

# The first differences show where to look. A wrong day may have thousands.
MOST_SHOWN = 20
MINUTE_MILLIS = 60_000

Key = TypeVar("Key", bound=tuple[Any, ...])

MinuteKey = tuple[str, str, str, int]
"""Partition of a lineage, app, event, minute since 1970."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value in MongoDB that is not what the log gives."""

    what: str
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what} {self.where}: found {self.found}, expected {self.expected}"


@dataclass(slots=True)
class Differences:
    """The number of differences, and the first few."""

    total: int = 0
    shown: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        self.total += 1
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(difference)


@dataclass(frozen=True, slots=True)
class Range:
    """One partition of a lineage: records from `first` up to `next` are recounted. Not `whole`: some are missing."""

    partition: str
    topic: str
    start: int
    first: int
    next: int
    whole: bool
    note: str = ""


@dataclass(slots=True)
class Tally:
    """The fates that the recount of one range found."""

    fates: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FATES, 0))
    items: int | None = None
    """Items that counted; None if the topic has no items."""

    @property
    def records(self) -> int:
        return sum(self.fates.values())


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `verify`. Totals are compared exactly if `whole`, else only as "at least"."""

    ranges: list[Range]
    tallies: list[Tally]
    differences: Differences
    set_aside: int
    seconds: float
    unsure: int = 0
    """Items that may or may not have counted, because records are missing."""
    losses: Sequence[Loss] = ()
    """Lost records, accepted or not."""

    @property
    def whole(self) -> bool:
        return all(one.whole for one in self.ranges)


def counts_compared(
    what: str,
    expected: Mapping[Key, int],
    found: Mapping[Key, int],
    is_whole: Callable[[Key], bool],
    named: Callable[[Key], str],
) -> Iterator[Difference]:
    """Every count that differs. If records are missing in the log, MongoDB may have more, but never less."""
    for key in sorted(expected.keys() | found.keys()):
        due, got = expected.get(key, 0), found.get(key, 0)
        if got != due and (got < due or is_whole(key)):
            yield Difference(what, named(key), f"{'' if is_whole(key) else 'at least '}{due}", str(got))


def player_name(key: tuple[str, str]) -> str:
    return f"{key[0]}, {key[1]}"


def minute_name(key: MinuteKey) -> str:
    partition, app, event, minute = key
    return f"{app}, {event}, {utc(minute * MINUTE_MILLIS):%Y-%m-%dT%H:%MZ} in {partition}"


def checkpoint_compared(covered: Range, tally: Tally, checkpoint: Mapping[str, Any]) -> Iterator[Difference]:
    """The fates and gaps of one partition. If records are missing: only that they add up and are not too few."""
    fates, gaps = checkpoint["fates"], checkpoint["gaps"]
    key = covered.partition
    for fate, count in tally.fates.items():
        if fates[fate] < count or (covered.whole and fates[fate] != count):
            yield Difference(
                "checkpoint", f"{key}, {fate}", f"{'' if covered.whole else 'at least '}{count}", str(fates[fate])
            )
    offsets = covered.next - covered.start
    if covered.whole and gaps != offsets - tally.records:
        yield Difference("checkpoint", f"{key}, gaps", str(offsets - tally.records), str(gaps))
    if sum(fates.values()) + gaps != offsets:
        yield Difference("checkpoint", f"{key}, fates and gaps", str(offsets), str(sum(fates.values()) + gaps))


def as_json(report: Report) -> dict[str, Any]:
    shown = [asdict(one) for one in report.differences.shown]
    ranges = [
        {**asdict(one), "records": tally.records, "fates": tally.fates, "items": tally.items}
        for one, tally in zip(report.ranges, report.tallies, strict=True)
    ]
    return {
        "lost": [one.as_json() for one in open_losses(report.losses)],
        "lost_accepted": [one.as_json() for one in report.losses if one.accepted is not None],
        "differences": report.differences.total,
        "first": shown[0] if shown else None,
        "shown": shown,
        "whole": report.whole,
        "ranges": ranges,
        "set_aside": report.set_aside,
        "unsure": report.unsure,
        "seconds": round(report.seconds, 1),
    }


def summary(report: Report) -> str:
    """One sentence. The first loss or difference is quoted."""
    records = sum(tally.records for tally in report.tallies)
    recounted = f"{records} records of {len(report.ranges)} partitions recounted"
    if not report.whole:
        recounted += ", others are no longer in the log"
    lost, shown = open_losses(report.losses), report.differences.shown
    if not (lost or shown):
        return f"{_no_difference(report)}: {recounted}"
    found = f"{len(lost)} losses, {report.differences.total} differences: {recounted}"
    return f"{found}. The first: {lost[0] if lost else shown[0]}"


def as_text(report: Report) -> str:
    lines = [text] if (text := lost_text(report.losses)) else []
    lines += [_range_line(one, tally) for one, tally in zip(report.ranges, report.tallies, strict=True)]
    if not report.whole:
        lines.append(
            "Some applied records are no longer in the log, so the totals can't be recounted completely. Checked: "
            "every record that the log still has, that no total is too low, and that fates and gaps add up."
        )
    if report.set_aside:
        lines.append(f"{report.set_aside} readable records are dead letters, because MongoDB could not store them")
    if report.unsure:
        lines.append(
            f"{report.unsure} items may have been counted by records that are no longer in the log: not compared"
        )
    lines += [str(one) for one in report.differences.shown]
    total, shown = report.differences.total, len(report.differences.shown)
    if total > shown:
        lines.append(f"... and {total - shown} more")
    if lost := open_losses(report.losses):
        lines.append(f'{len(lost)} losses, listed above. See docs/operations.md, "Lost records"')
    if total or not lost:
        lines.append(f"{total} differences" if total else _no_difference(report))
    return "\n".join(lines)


def _no_difference(report: Report) -> str:
    """Without a recounted record, "no difference" would prove nothing."""
    if any(tally.records for tally in report.tallies):
        return "no difference"
    return "nothing was recounted: the log has no counted record"


def _range_line(covered: Range, tally: Tally) -> str:
    fates = ", ".join(f"{count} {fate}" for fate, count in tally.fates.items())
    items = "" if tally.items is None else f"; {tally.items} items"
    note = f" ({covered.note})" if covered.note else ""
    offsets = f"offsets {covered.first} to {covered.next - 1}" if covered.next > covered.first else "no offsets"
    return f"{covered.partition} of {covered.topic}: {offsets}, {tally.records} records: {fates}{items}{note}"
