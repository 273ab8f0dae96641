"""`tallymill verify`: MongoDB's totals against a recount of the log, to the unit.

1. one snapshot of MongoDB      checkpoints and all totals, of one moment
2. the range                    what of the log these checkpoints have applied, and how much of it is still there
3. the recount                  every record of it, by code that shares nothing with the worker's planning
4. the comparison               totals, fates, gaps, and each record against `requests` and `exceptions`
"""

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.admin import EXIT_BAD_INPUT, EXIT_OK, EXIT_WRONG
from ops.config import Settings, load_settings, worker_config
from ops.connect import NotReachable, database, kafka_consumer
from ops.local.commands import complain, say
from ops.topic import TopicNow, topic_now
from ops.verify import report as told
from ops.verify.reading import LogRecord, Rules, read
from ops.verify.recount import Recount
from ops.verify.remembered import Remembered
from ops.verify.report import (
    Difference,
    Differences,
    Range,
    Report,
    checkpoint_compared,
    counts_compared,
    minute_name,
    player_name,
)
from ops.verify.sources import (
    Database,
    Document,
    Snapshot,
    definitions_of,
    fates_of,
    records_of,
    requests_of,
    snapshot_of,
)
from schemas.requirements import remembered_seconds
from schemas.signing import signing_keys


async def verify(*, as_json: bool) -> int:
    """Exit status 0 no difference, 1 a difference, 2 bad settings or a server that is away."""
    settings = load_settings()
    worker_config(settings)  # what a worker can't do without, a recount can't either
    try:
        report = await recounted(settings)
    except NotReachable as error:
        complain(str(error))
        return EXIT_BAD_INPUT
    say(json.dumps(told.as_json(report)) if as_json else told.as_text(report))
    return EXIT_WRONG if report.differences.total else EXIT_OK


async def recounted(settings: Settings) -> Report:
    """The whole of it. Raises NotReachable, SettingsError."""
    began = time.monotonic()
    differences = Differences()
    async with database(settings) as db:
        snapshot = await snapshot_of(db)
        async with kafka_consumer(settings) as consumer:
            topics = {name: await topic_now(consumer, name) for name in {one["topic"] for one in snapshot.lineages}}
        ranges = ranges_of(snapshot.lineages, snapshot.checkpoints, topics, differences)
        recount = await _Pass(settings, db, ranges, differences).run()
    _compare(snapshot, ranges, recount, differences)
    return Report(ranges, recount.tallies, differences, recount.set_aside, time.monotonic() - began)


def ranges_of(
    lineages: Sequence[Document],
    checkpoints: Mapping[str, Document],
    topics: Mapping[str, TopicNow],
    differences: Differences,
) -> list[Range]:
    """What can be read again of all that was applied, lineages in the order they were started."""
    ranges = []
    for lineage in sorted(lineages, key=lambda one: (one["topic"], one["generation"])):
        topic = topics[lineage["topic"]]
        for key in sorted(key for key in checkpoints if key.partition("/")[0] == lineage["_id"]):
            bounds = topic.bounds.get(int(key.rpartition("/")[2])) if topic.is_of(lineage) else None
            ranges.append(_range(lineage, checkpoints[key], bounds, differences))
    return ranges


def _range(lineage: Document, checkpoint: Document, bounds: tuple[int, int] | None, to: Differences) -> Range:
    key, start, end = checkpoint["_id"], checkpoint["start"], checkpoint["next"]
    if start == end:
        return Range(key, lineage["topic"], start, start, end, whole=True, note="nothing applied")
    if bounds is None:
        return Range(key, lineage["topic"], start, end, end, whole=False, note="its topic is gone")
    if bounds[1] < end:
        to.add(Difference("log", key, f"records up to offset {end - 1}", f"the log ends at {bounds[1]}"))
        return Range(key, lineage["topic"], start, end, end, whole=False, note="the log was cut")
    first = min(max(start, bounds[0]), end)
    note = f"offsets {start} to {first - 1} are gone from the log" if first > start else ""
    return Range(key, lineage["topic"], start, first, end, whole=first == start, note=note)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over the log."""

    settings: Settings
    db: Database
    ranges: Sequence[Range]
    differences: Differences

    async def run(self) -> Recount:
        limits, kafka = self.settings.limits, self.settings.kafka
        window_millis = limits.dedupe_window_seconds * 1000
        now_millis = time.time_ns() // 1_000_000
        rules = Rules(signing_keys(self.settings.signing), limits, await definitions_of(self.db))
        recount = Recount(self.ranges, window_millis, self.differences)
        remembered = Remembered(
            self.ranges, kafka.retention_seconds * 1000, window_millis, now_millis, self.differences
        )
        known_since_millis = now_millis - remembered_seconds(kafka, limits) * 1000
        for stream, covered in enumerate(self.ranges):
            async for records in self._records(covered):
                await self._batch(stream, records, rules, (recount, remembered), known_since_millis)
        recount.settle()
        remembered.settle(recount.seen)
        return recount

    async def _records(self, covered: Range) -> AsyncIterator[list[LogRecord]]:
        if covered.first == covered.next:
            return
        partition = int(covered.partition.rpartition("/")[2])
        async with kafka_consumer(self.settings) as consumer:
            async for records in records_of(consumer, covered.topic, partition, covered.first, covered.next):
                yield records

    async def _batch(
        self, stream: int, records: Sequence[LogRecord], rules: Rules, to: tuple[Recount, Remembered], since_millis: int
    ) -> None:
        recount, remembered = to
        readings = [read(record, rules) for record in records]
        fates = await fates_of(self.db, self.ranges[stream].partition, [record.offset for record in records])
        documents = await requests_of(self.db, {one.request for one in readings if one.kind == "countable"})
        for record, reading in zip(records, readings, strict=True):
            says = fates.get(record.offset, "applied" if record.time_millis > since_millis else None)
            recount.add(stream, record, reading, says)
            if reading.kind == "countable" and says in ("applied", "duplicate"):
                document: Mapping[str, Any] | None = documents.get(reading.request)
                remembered.check(stream, record, reading, says, document)


def _compare(snapshot: Snapshot, ranges: Sequence[Range], recount: Recount, differences: Differences) -> None:
    whole = all(one.whole for one in ranges)
    whole_ranges = {one.partition for one in ranges if one.whole}
    found = [
        *counts_compared("players", recount.players, snapshot.players, lambda _: whole, player_name),
        *counts_compared(
            "period_counts", recount.minutes, snapshot.minutes, lambda key: key[0] in whole_ranges, minute_name
        ),
        *snapshot.wrong_hours,
    ]
    for covered, tally in zip(ranges, recount.tallies, strict=True):
        found += checkpoint_compared(covered, tally, snapshot.checkpoints[covered.partition])
    for difference in found:
        differences.add(difference)
