"""The recount of the analytics topic: one pass over the log, one over `events`, then minutes, titles, checkpoints."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ops.verify.analytics.pools import read_pool
from ops.verify.analytics.recount import ItemRecount
from ops.verify.analytics.titles import Titles, apps_with_others
from ops.verify.context import Context
from ops.verify.fates import Fates
from ops.verify.report import Difference, Range, counts_compared, minute_name
from ops.verify.sources import checkpoints_now, events_of, events_since
from schemas.records.signing import signing_keys

LOOK_UP_ITEMS = 1_000


async def recount_analytics(context: Context, ranges: Sequence[Range]) -> tuple[Fates, int]:
    """The fates of the records, and the number of uncertain items. Differences are added to the context."""
    limits = context.settings.limits
    titles = Titles(
        context.snapshot.titles, apps_with_others(context.snapshot.minutes["analytics"]), context.differences
    )
    recount = ItemRecount(ranges, titles, limits.event_retention_seconds * 1000, context.differences)
    keys = signing_keys(context.settings.signing)
    for stream, covered in enumerate(ranges):
        async for records in context.records(covered):
            for record, stored_fate in zip(records, await context.stored_fates(covered, records), strict=True):
                recount.add(stream, record, read_pool(record, keys, limits), stored_fate)
    await _compare_events(context, ranges, recount)
    recount.settle(time.time_ns() // 1_000_000)
    _compare(context, ranges, recount)
    return recount.fates, recount.unsure


async def _compare_events(context: Context, ranges: Sequence[Range], recount: ItemRecount) -> None:
    """All documents if the log is complete; else those as young as its records, and those of its items."""
    oldest_millis = recount.oldest_millis()
    if recount.is_whole or oldest_millis is not None:
        async for document in events_since(context.db, None if recount.is_whole else oldest_millis):
            recount.compare(document)
    if not recount.is_whole:
        for keys in _chunks(list(recount.unmarked())):
            for document in await events_of(context.db, keys):
                recount.compare(document)
    now, lineages = await checkpoints_now(context.db), {one.partition.partition("/")[0] for one in ranges}
    for key, offset in recount.beyond.items():
        if offset >= now.get(key, 0) or key.partition("/")[0] not in lineages:
            context.differences.add(
                Difference("events", f"from {key}", "a record that was applied", f"offset {offset}")
            )


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while chunk := list(islice(rest, LOOK_UP_ITEMS)):
        yield chunk


def _compare(context: Context, ranges: Sequence[Range], recount: ItemRecount) -> None:
    whole = {one.partition for one in ranges if one.whole and not recount.unsure}
    minutes = context.snapshot.minutes["analytics"]
    found = [
        *counts_compared(
            "period_counts",
            recount.minutes_beside(minutes),
            minutes,
            lambda key: key[0] in whole,
            minute_name,
        ),
        *context.checkpoints_compared(ranges, recount.fates),
    ]
    for difference in found:
        context.differences.add(difference)
