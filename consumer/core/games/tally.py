"""Batch by batch: its fate, by whether this player's requestId has counted before, and the sums of those that count.

Seen means: the record's time - the stored time <= dedupe_window. Both are times of records, so that a recount from
Kafka agrees with the worker, however late it reads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from consumer.core.games.decode import Batch
from consumer.core.reads import SeenRequest
from consumer.core.windows import Sums
from schemas.documents import ALREADY_UPDATED, PAYLOAD_DIFFERS, Fate, actor_of
from schemas.windows import window_of


class NotApplied(NamedTuple):
    """A batch that does not count, and why."""

    batch: Batch
    fate: Fate
    cause: str


class PlayerSum(msgspec.Struct, gc=False):
    """What one flush adds to one player: counts by definitionId, and the time of the last record that did."""

    totals: dict[str, int]
    latest_millis: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What a flush counts, and what of it doesn't."""

    applied: int
    """How many batches count."""
    remembered: Mapping[str, Batch]
    """The last that counts, by request key."""
    players: Mapping[str, PlayerSum]
    """By `app/player`."""
    windows: Sums
    others: list[NotApplied]
    """In order."""


def tally(batches: Iterable[Batch], seen: Mapping[str, SeenRequest], window_millis: int) -> Tally:
    """Count `batches`; `seen` is keyed by request_key. A repeat inside `batches` is a repeat."""
    applied = 0
    remembered: dict[str, Batch] = {}
    players: dict[str, PlayerSum] = {}
    windows: Sums = {}
    others: list[NotApplied] = []
    for batch in batches:
        before = remembered.get(batch.key)
        earlier = seen.get(batch.key) if before is None else SeenRequest(before.origin.time_millis, before.crc)
        if not batch.accepted:
            others.append(NotApplied(batch, "refused", batch.cause))
        elif earlier is not None and batch.origin.time_millis - earlier.time_millis <= window_millis:
            cause = ALREADY_UPDATED if earlier.crc == batch.crc else PAYLOAD_DIFFERS
            others.append(NotApplied(batch, "duplicate", cause))
        else:
            applied += 1
            remembered[batch.key] = batch
            _add(batch, players, windows)
    return Tally(applied, remembered, players, windows, others)


def _add(batch: Batch, players: dict[str, PlayerSum], windows: Sums) -> None:
    origin = batch.origin
    app, actor = origin.app, actor_of(origin.app, origin.player)
    player = players.get(actor)
    if player is None:
        player = players[actor] = PlayerSum({}, origin.time_millis)
    elif origin.time_millis > player.latest_millis:
        player.latest_millis = origin.time_millis
    totals = player.totals
    for update in batch.accepted:
        event, count = update.definition_id, update.update_count
        totals[event] = totals.get(event, 0) + count
        window = (window_of(update.start_millis), app, event)
        windows[window] = windows.get(window, 0) + count
