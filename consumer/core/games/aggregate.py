"""Sums of what a flush counts: per player and event, and per bucket. One increment a document."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consumer.core.games.decode import Batch
from consumer.core.windows import PeriodIncrement
from schemas.coordinates import PartitionId
from schemas.documents import actor_of, period_count_key, utc
from schemas.windows import bucket_of, start_of

SOURCE = "games"


@dataclass(frozen=True, slots=True)
class PlayerIncrement:
    """What one flush adds to one player: counts by definitionId, and the time of the last record that did."""

    totals: Mapping[str, int]
    updated_at: datetime


def sum_players(batches: Iterable[Batch]) -> dict[str, PlayerIncrement]:
    """Increments by `_id` of `players`."""
    totals: defaultdict[str, dict[str, int]] = defaultdict(dict)
    latest: dict[str, int] = {}
    for batch in batches:
        actor = actor_of(batch.app, batch.player)
        latest[actor] = max(latest.get(actor, 0), batch.time_millis)
        counts = totals[actor]
        for update in batch.accepted:
            counts[update.definition_id] = counts.get(update.definition_id, 0) + update.update_count
    return {actor: PlayerIncrement(counts, utc(latest[actor])) for actor, counts in totals.items()}


def sum_periods(batches: Iterable[Batch], partition: PartitionId) -> dict[str, PeriodIncrement]:
    """Increments by `_id` of `period_counts`."""
    sums: defaultdict[tuple[int, str, str], dict[int, int]] = defaultdict(dict)
    for batch in batches:
        for update in batch.accepted:
            hour, minute = bucket_of(update.start_millis)
            minutes = sums[hour, batch.app, update.definition_id]
            minutes[minute] = minutes.get(minute, 0) + update.update_count
    increments = (
        PeriodIncrement(
            start_of(hour), app, SOURCE, event, {f"{minute:02}": count for minute, count in minutes.items()}
        )
        for (hour, app, event), minutes in sums.items()
    )
    return {period_count_key(i.hour, i.app, i.source, i.event, partition): i for i in increments}
