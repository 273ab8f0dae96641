"""Sums of what a flush counts: per player and event, and per bucket. One increment a document."""

from collections import defaultdict
from collections.abc import Iterable

from consumer.core.games.decode import Batch
from consumer.core.plan import PlayerIncrement
from consumer.core.windows import PeriodIncrement, Sums, increments
from schemas.coordinates import PartitionId
from schemas.documents import actor_of, utc
from schemas.windows import bucket_of

SOURCE = "games"


def sum_players(batches: Iterable[Batch]) -> dict[str, PlayerIncrement]:
    """Increments by `_id` of `players`."""
    totals: defaultdict[str, dict[str, int]] = defaultdict(dict)
    latest: dict[str, int] = {}
    for batch in batches:
        origin = batch.origin
        actor = actor_of(origin.app, origin.player)
        latest[actor] = max(latest.get(actor, 0), origin.time_millis)
        counts = totals[actor]
        for update in batch.accepted:
            counts[update.definition_id] = counts.get(update.definition_id, 0) + update.update_count
    return {actor: PlayerIncrement(counts, utc(latest[actor])) for actor, counts in totals.items()}


def sum_periods(batches: Iterable[Batch], partition: PartitionId) -> dict[str, PeriodIncrement]:
    """Increments by `_id` of `period_counts`."""
    sums: Sums = defaultdict(dict)
    for batch in batches:
        app = batch.origin.app
        for update in batch.accepted:
            hour, minute = bucket_of(update.start_millis)
            minutes = sums[hour, app, update.definition_id]
            minutes[minute] = minutes.get(minute, 0) + update.update_count
    return increments(sums, SOURCE, partition)
