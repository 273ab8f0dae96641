"""`tallymill verify`: MongoDB's totals against a recount of the log, to the unit.

1. one snapshot of MongoDB      checkpoints and all totals, of one moment
2. the losses                   acknowledged records that can't be counted (ops/lineage/losses.py): printed first
3. the ranges                   offsets that these checkpoints have applied, and which of them the log still has
4. the recount                  every record of the ranges, by code that shares nothing with the worker's planning
5. the comparison               totals, fates, gaps; each batch against `requests` and `exceptions`, each item of a pool
                                against `events` and `titles`
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence

from ops.checks import keep_check
from ops.config import Settings, load_settings, worker_config
from ops.connect import NotReachable, database
from ops.layout import require_request_layout
from ops.lineage.cuts import cuts_of
from ops.lineage.find import known_of, topics_of
from ops.lineage.losses import losses_of, open_losses
from ops.output import EXIT_BAD_INPUT, EXIT_OK, EXIT_WRONG, complain, say
from ops.topic import TopicNow
from ops.verify import report as reports
from ops.verify.analytics.verify import recount_analytics
from ops.verify.context import Context
from ops.verify.games.verify import recount_games
from ops.verify.report import Difference, Differences, Range, Report
from ops.verify.sources import Document, Snapshot, snapshot_of
from schemas.settings import APIS, KafkaSettings


async def verify(*, as_json: bool) -> int:
    """Exit status 0: no difference and no open loss. 1: one of them. 2: bad settings, or a server is unavailable."""
    settings = load_settings()
    worker_config(settings)  # a recount needs the settings that a worker needs
    try:
        report = await recounted(settings)
    except NotReachable as error:
        complain(str(error))
        return EXIT_BAD_INPUT
    say(json.dumps(reports.as_json(report)) if as_json else reports.as_text(report))
    if not report.ranges:
        complain(
            f"Database {settings.mongodb.database} has no lineage. Run `tallymill init`, or correct mongodb.database"
        )
        return EXIT_WRONG
    is_right = not (report.differences.total or open_losses(report.losses))
    await keep_check(settings, "verify", ok=is_right, detail=reports.summary(report), seconds=report.seconds)
    return EXIT_OK if is_right else EXIT_WRONG


async def recounted(settings: Settings) -> Report:
    """Raises NotReachable, BadInput."""
    began = time.monotonic()
    differences = Differences()
    async with database(settings) as db:
        await require_request_layout(db)
        snapshot = await snapshot_of(db)
        topics = await topics_of(settings, snapshot.lineages)
        cuts = await cuts_of(settings, snapshot.lineages, snapshot.checkpoints, topics)
        losses = losses_of(await known_of(db, snapshot.lineages, snapshot.checkpoints, topics, cuts))
        ranges = ranges_of(snapshot.lineages, snapshot.checkpoints, topics, cuts)
        context = Context(settings, db, snapshot, differences, time.time_ns() // 1_000_000)
        pools = [one for one in ranges if is_of_pools(one, settings.kafka, snapshot)]
        batches = [one for one in ranges if one not in pools]
        games = await recount_games(context, batches)
        analytics, unsure = await recount_analytics(context, pools)
    for difference in (*snapshot.wrong_hours, *unknown_sources(snapshot)):
        differences.add(difference)
    tallies = [*games.tallies, *analytics.tallies]
    set_aside, seconds = games.set_aside + analytics.set_aside, time.monotonic() - began
    return Report([*batches, *pools], tallies, differences, set_aside, seconds, unsure, losses)


def is_of_pools(covered: Range, kafka: KafkaSettings, snapshot: Snapshot) -> bool:
    """Whether a range is of the analytics API. For a topic that the settings no longer name, its counts decide."""
    if covered.topic in (kafka.records_topic, kafka.analytics_topic):
        return covered.topic == kafka.analytics_topic
    return any(key[0] == covered.partition for key in snapshot.minutes["analytics"])


def unknown_sources(snapshot: Snapshot) -> Iterator[Difference]:
    """Counts of a source that is not one of the APIs."""
    for source in sorted(snapshot.minutes.keys() - set(APIS)):
        yield Difference("period_counts", f"source {source}", "nothing", f"{snapshot.minutes[source].total()} counts")


def ranges_of(
    lineages: Sequence[Document],
    checkpoints: Mapping[str, Document],
    topics: Mapping[str, TopicNow],
    cuts: Mapping[str, int],
) -> list[Range]:
    """The applied offsets that can be read again, lineages in the order they were started.

    None of a log that was cut: it may hold other records now.
    """
    ranges = []
    for lineage in sorted(lineages, key=lambda one: (one["topic"], one["generation"])):
        topic = topics[lineage["topic"]]
        for key in sorted(key for key in checkpoints if key.partition("/")[0] == lineage["_id"]):
            bounds = topic.bounds.get(int(key.rpartition("/")[2])) if topic.is_of(lineage) else None
            ranges.append(_range(lineage, checkpoints[key], bounds, is_cut=key in cuts))
    return ranges


def _range(lineage: Document, checkpoint: Document, bounds: tuple[int, int] | None, *, is_cut: bool) -> Range:
    key, start, end = checkpoint["_id"], checkpoint["start"], checkpoint["next"]
    if start == end:
        return Range(key, lineage["topic"], start, start, end, whole=True, note="nothing applied yet")
    if bounds is None:
        return Range(key, lineage["topic"], start, end, end, whole=False, note="the topic is missing or another one")
    if is_cut:
        return Range(key, lineage["topic"], start, end, end, whole=False, note="the log was cut")
    first = min(max(start, bounds[0]), end)
    note = f"offsets {start} to {first - 1} are no longer in the log" if first > start else ""
    return Range(key, lineage["topic"], start, first, end, whole=first == start, note=note)
