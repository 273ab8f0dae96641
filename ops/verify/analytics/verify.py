"""The recount of the analytics topic: one pass over the log, one over `events`, then minutes, titles, checkpoints."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ops.verify.analytics.pools import read_pool
from ops.verify.analytics.recount import ItemRecount
from ops.verify.analytics.titles import Titles, apps_with_others
from ops.verify.context import Look
from ops.verify.fates import Fates
from ops.verify.report import Difference, Range, counts_compared, minute_name
from ops.verify.sources import checkpoints_now, events_of, events_since
from schemas.records.signing import signing_keys

LOOK_UP_ITEMS = 1_000


async def recount_analytics(look: Look, ranges: Sequence[Range]) -> tuple[Fates, int]:
    """What the records came to, and of how many items nobody can say; differences are added to the look's."""
    limits = look.settings.limits
    titles = Titles(look.snapshot.titles, apps_with_others(look.snapshot.minutes["analytics"]), look.differences)
    recount = ItemRecount(ranges, titles, limits.event_retention_seconds * 1000, look.differences)
    keys = signing_keys(look.settings.signing)
    for stream, covered in enumerate(ranges):
        async for records in look.records(covered):
            for record, says in zip(records, await look.says(covered, records), strict=True):
                recount.add(stream, record, read_pool(record, keys, limits), says)
    await _compare_events(look, ranges, recount)
    recount.settle(time.time_ns() // 1_000_000)
    _compare(look, ranges, recount)
    return recount.fates, recount.unsure


async def _compare_events(look: Look, ranges: Sequence[Range], recount: ItemRecount) -> None:
    """All documents where the whole log is there; else those as old as what is left of it, and those of its items."""
    oldest_millis = recount.oldest_millis()
    if recount.is_whole or oldest_millis is not None:
        async for document in events_since(look.db, None if recount.is_whole else oldest_millis):
            recount.compare(document)
    if not recount.is_whole:
        for keys in _chunks(list(recount.unmarked())):
            for document in await events_of(look.db, keys):
                recount.compare(document)
    now, lineages = await checkpoints_now(look.db), {one.partition.partition("/")[0] for one in ranges}
    for key, offset in recount.beyond.items():
        if offset >= now.get(key, 0) or key.partition("/")[0] not in lineages:
            look.differences.add(Difference("events", f"from {key}", "a record that was applied", f"offset {offset}"))


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    waiting = iter(keys)
    while chunk := list(islice(waiting, LOOK_UP_ITEMS)):
        yield chunk


def _compare(look: Look, ranges: Sequence[Range], recount: ItemRecount) -> None:
    whole = {one.partition for one in ranges if one.whole and not recount.unsure}
    minutes = look.snapshot.minutes["analytics"]
    found = [
        *counts_compared(
            "period_counts",
            recount.minutes_beside(minutes),
            minutes,
            lambda key: key[0] in whole,
            minute_name,
        ),
        *look.checkpoints_compared(ranges, recount.fates),
    ]
    for difference in found:
        look.differences.add(difference)
