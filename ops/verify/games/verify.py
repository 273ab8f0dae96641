"""The recount of the games topic: one pass over the log, then the comparison of players, minutes and checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from ops.verify.check_requests import RequestCheck
from ops.verify.context import Context
from ops.verify.fates import Fates
from ops.verify.games.recount import Recount
from ops.verify.reading import LogRecord, Rules, read
from ops.verify.report import Range, counts_compared, minute_name, player_name
from ops.verify.sources import definitions_of, requests_of
from schemas.records.signing import signing_keys


async def recount_games(context: Context, ranges: Sequence[Range]) -> Fates:
    """The fates of the records. Differences are added to the context."""
    settings = context.settings
    rules = Rules(signing_keys(settings.signing), settings.limits, await definitions_of(context.db))
    window_millis, retention_millis = settings.limits.dedupe_window_seconds, settings.kafka.retention_seconds
    recount = Recount(ranges, window_millis * 1000, context.differences)
    request_check = RequestCheck(
        ranges, retention_millis * 1000, window_millis * 1000, context.now_millis, context.differences
    )
    for stream, covered in enumerate(ranges):
        async for records in context.records(covered):
            stored_fate = await context.stored_fates(covered, records)
            await _batch(context, stream, list(zip(records, stored_fate, strict=True)), rules, (recount, request_check))
    recount.settle()
    request_check.settle(recount.requests)
    _compare(context, ranges, recount)
    return recount.fates


async def _batch(
    context: Context,
    stream: int,
    records: Sequence[tuple[LogRecord, str | None]],
    rules: Rules,
    to: tuple[Recount, RequestCheck],
) -> None:
    recount, request_check = to
    readings = [read(record, rules) for record, _ in records]
    documents = await requests_of(context.db, {one.request for one in readings if one.kind == "countable"})
    for (record, stored_fate), reading in zip(records, readings, strict=True):
        recount.add(stream, record, reading, stored_fate)
        if reading.kind == "countable" and stored_fate in ("applied", "duplicate"):
            document: Mapping[str, Any] | None = documents.get(reading.request)
            request_check.check(stream, record, reading, stored_fate, document)


def _compare(context: Context, ranges: Sequence[Range], recount: Recount) -> None:
    whole = {one.partition for one in ranges if one.whole}
    all_whole = len(whole) == len(ranges)
    snapshot = context.snapshot
    found = [
        *counts_compared("players", recount.players, snapshot.players, lambda _: all_whole, player_name),
        *counts_compared(
            "period_counts", recount.minutes, snapshot.minutes["games"], lambda key: key[0] in whole, minute_name
        ),
        *context.checkpoints_compared(ranges, recount.fates),
    ]
    for difference in found:
        context.differences.add(difference)
