"""The recount of the games topic: one pass over the log, then the comparison of players, minutes and checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from ops.verify.check_requests import Remembered
from ops.verify.context import Look
from ops.verify.fates import Fates
from ops.verify.games.recount import Recount
from ops.verify.reading import LogRecord, Rules, read
from ops.verify.report import Range, counts_compared, minute_name, player_name
from ops.verify.sources import definitions_of, requests_of
from schemas.records.signing import signing_keys


async def recount_games(look: Look, ranges: Sequence[Range]) -> Fates:
    """What the records came to; differences are added to the look's."""
    settings = look.settings
    rules = Rules(signing_keys(settings.signing), settings.limits, await definitions_of(look.db))
    window_millis, retention_millis = settings.limits.dedupe_window_seconds, settings.kafka.retention_seconds
    recount = Recount(ranges, window_millis * 1000, look.differences)
    remembered = Remembered(ranges, retention_millis * 1000, window_millis * 1000, look.now_millis, look.differences)
    for stream, covered in enumerate(ranges):
        async for records in look.records(covered):
            says = await look.says(covered, records)
            await _batch(look, stream, list(zip(records, says, strict=True)), rules, (recount, remembered))
    recount.settle()
    remembered.settle(recount.seen)
    _compare(look, ranges, recount)
    return recount.fates


async def _batch(
    look: Look,
    stream: int,
    records: Sequence[tuple[LogRecord, str | None]],
    rules: Rules,
    to: tuple[Recount, Remembered],
) -> None:
    recount, remembered = to
    readings = [read(record, rules) for record, _ in records]
    documents = await requests_of(look.db, {one.request for one in readings if one.kind == "countable"})
    for (record, says), reading in zip(records, readings, strict=True):
        recount.add(stream, record, reading, says)
        if reading.kind == "countable" and says in ("applied", "duplicate"):
            document: Mapping[str, Any] | None = documents.get(reading.request)
            remembered.check(stream, record, reading, says, document)


def _compare(look: Look, ranges: Sequence[Range], recount: Recount) -> None:
    whole = {one.partition for one in ranges if one.whole}
    all_whole = len(whole) == len(ranges)
    snapshot = look.snapshot
    found = [
        *counts_compared("players", recount.players, snapshot.players, lambda _: all_whole, player_name),
        *counts_compared(
            "period_counts", recount.minutes, snapshot.minutes["games"], lambda key: key[0] in whole, minute_name
        ),
        *look.checkpoints_compared(ranges, recount.fates),
    ]
    for difference in found:
        look.differences.add(difference)
