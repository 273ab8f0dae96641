"""The honest load of a soak: open loop on both APIs, latency from the time a request was due, and its sums."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ops.config import Settings
from ops.load.check import Database, expected_sums, found_sums
from ops.load.check_pools import expected_pool_sums, found_pool_sums
from ops.load.command import _declare, _tokens
from ops.load.plan import Batch, LoadOptions, Shot, differences
from ops.load.pools import Pool, PoolItem, PoolSums, _pool, pool_differences, pool_shots
from ops.load.report import percentiles_millis
from ops.load.send import ANALYTICS, GAMES, GIVE_UP_SECONDS, OpenLoop, Outcomes
from schemas.records.envelope import ANONYMOUS_PREFIX

# One each: the sums of a load of batches are those of everything that its app has.
APP = "honest"
POOLS_APP = "honest-pools"
BATCHES_A_SECOND = 20.0
POOLS_A_SECOND = 20.0
PLAYERS = 500
DUPLICATES = 0.05

# A new set of titles now and then, so that names are wanted all the while, not only before hostile ones came.
ITEMS_A_TITLE = 500


def titled(item: PoolItem) -> PoolItem:
    return replace(item, title=f"{item.title} {item.number // ITEMS_A_TITLE}")


def pools_of_new_titles(options: LoadOptions, start_millis: int) -> Iterator[Shot[Pool]]:
    """As `tallymill load` sends them, but for the titles."""
    for shot in pool_shots(options, start_millis):
        pool = _pool(shot.batch.player, shot.batch.request_id, tuple(map(titled, shot.batch.items)))
        yield replace(shot, batch=pool)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it."""

    games: Outcomes[Batch]
    pools: Outcomes[Pool]

    def figures(self) -> dict[str, Any]:
        return {name: _figures(one) for name, one in (("games", self.games), ("analytics", self.pools))}

    def p99_seconds(self) -> float:
        """The worse of the two."""
        return max(percentiles_millis(_latencies(one))["p99"] / 1000 for one in (self.games, self.pools))

    def problems(self) -> Iterator[str]:
        """Requests that were refused, or never answered."""
        for name, one in (("games", self.games), ("analytics", self.pools)):
            if one.refusals.counts or one.unknown:
                yield f"honest {name}: refused {one.refusals.counts}, without an answer {len(one.unknown)}"
            if not one.answered:
                yield f"honest {name}: nothing was answered"


def _latencies(one: Outcomes[Any]) -> list[float]:
    """Of every request: one that was never answered took at least as long as its client tried."""
    return [*one.delays.latencies_seconds, *[float(GIVE_UP_SECONDS)] * len(one.unknown)]


def _figures(one: Outcomes[Any]) -> dict[str, Any]:
    return {
        "requests": one.requests,
        "answered": len(one.answered),
        "retries": one.tries.retries,
        "refused": one.refusals.counts,
        "unknown": len(one.unknown),
        "latency_ms": percentiles_millis(_latencies(one)),
        "accepted_to_visible_ms": percentiles_millis(one.delays.visible_seconds),
    }


async def load(settings: Settings, db: Database, ingress: str, seconds: float, seed: int) -> Load:
    """Both loads, for so long; returns when everything is answered or given up."""
    await _declare(db, APP)
    batches, pools = _tokens(settings, APP), _tokens(settings, POOLS_APP)

    def options(rate: float) -> LoadOptions:
        return LoadOptions(rate, seconds, PLAYERS, DUPLICATES, seed)

    def sent(_: int) -> None:
        return None

    for number in range(PLAYERS):
        for token in (batches, pools):
            token(f"player-{number}")  # signed before the clock runs: it would be measured as latency
    games = OpenLoop(ingress, batches, options(BATCHES_A_SECOND), GAMES)
    of_new_titles = replace(ANALYTICS, shots=pools_of_new_titles)
    analytics = OpenLoop(ingress, pools, options(POOLS_A_SECOND), of_new_titles)
    return Load(*await asyncio.gather(games.run(sent), analytics.run(sent)))


async def wrong_sums(db: Database, done: Load) -> list[str]:
    """Every sum in MongoDB that differs from the honest clients' answers. Empty: all are exact."""
    batches = differences(await expected_sums(db, APP, done.games), await found_sums(db, APP))
    expected = await expected_pool_sums(db, POOLS_APP, done.pools)
    return batches + pool_differences(expected, _of_honest(await found_pool_sums(db, POOLS_APP), expected))


def _of_honest(found: PoolSums, expected: PoolSums) -> PoolSums:
    """Without what anonymous clients of the same app have sent: they use other titles."""
    titles = set(expected.events.values())
    events: Mapping[str, str] = {
        key: title for key, title in found.events.items() if not key.startswith(f"{POOLS_APP}/{ANONYMOUS_PREFIX}")
    }
    only = PoolSums(dict(events))
    only.minutes.update({key: count for key, count in found.minutes.items() if key[1] in titles})
    return only
