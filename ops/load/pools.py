"""The pools of a load, and the sums expected in MongoDB. Pure: the same seed gives the same load.

A pool is several items in one request, as a phone sends them that was offline. Some pools are sent again unchanged,
some with one more item, as a phone does when the answer was lost.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.load.plan import MINUTES_BACK, LoadOptions, Shot
from schemas.analytics.body import JSON_TYPE, identities, read_batch
from schemas.documents import actor_of, event_key
from schemas.windows import MINUTE_MILLIS, window_of

TITLES = ("Navigation", "Search", "Purchase", "Share")
MOST_ITEMS = 10


@dataclass(frozen=True, slots=True)
class PoolItem:
    """One item. Its number makes it different from all other items of the load."""

    number: int
    at_millis: int
    title: str

    def json(self) -> dict[str, Any]:
        data = [{"n": self.number, "Page": f"/{self.title}/{self.number % 97}"}, {"Duration": self.number % 1_000}]
        return {"Timestamp": str(self.at_millis), "Event": self.title, "Data": data}


@dataclass(frozen=True, slots=True)
class Pool:
    """One request. Each repeat has the same bytes. `request_id` is its number in the load; it is not sent."""

    player: str
    request_id: int
    items: tuple[PoolItem, ...]
    body: bytes


def pool_shots(options: LoadOptions, start_millis: int) -> Iterator[Shot[Pool]]:
    """The requests in order of time. A repeat is a pool that is at least a second old, by turns unchanged and longer.

    The longer pool may be repeated too.
    """
    chance = random.Random(options.seed)  # noqa: S311 a load, no secret
    sent: list[Pool] = []
    repeatable, repeats, made = int(options.rate), 0, 0
    for i in range(options.shots):
        is_repeat = len(sent) > repeatable and chance.random() < options.duplicates
        if is_repeat:
            repeats += 1
            pool = sent[chance.randrange(len(sent) - repeatable)]
        if not is_repeat or repeats % 2:
            items = pool.items if is_repeat else ()
            player = pool.player if is_repeat else f"player-{chance.randrange(options.players)}"
            more = 1 if is_repeat else chance.randint(1, MOST_ITEMS)
            added = tuple(
                PoolItem(
                    made + n, start_millis - chance.randrange(1, MINUTES_BACK * MINUTE_MILLIS), chance.choice(TITLES)
                )
                for n in range(more)
            )
            made += more
            pool = _pool(player, i + 1, (*items, *added))
            sent.append(pool)
        yield Shot(i / options.rate, pool, is_repeat)


def _pool(player: str, number: int, items: tuple[PoolItem, ...]) -> Pool:
    media = "eyJNb3ZpZSI6ICJBIGZpbG0iLCAiTGFuZ3VhZ2UiOiAicHQtQlIifQ"
    body = {"mediaInfo": media, "eventData": [item.json() for item in items]}
    return Pool(player, number, items, json.dumps(body).encode())


def keys_of(pool: Pool, app: str) -> dict[str, PoolItem]:
    """The items by their `_id` in `events`."""
    batch = read_batch(pool.body, JSON_TYPE)
    found = identities(batch, actor_of(app, pool.player), None)
    return {event_key(app, pool.player, identity): pool.items[i] for i, identity in found.items()}


@dataclass(slots=True)
class PoolSums:
    """Items by the `_id` of their documents, each with its title; counts by window and title.

    A window is named by the minute since 1970 that it starts in.
    """

    events: dict[str, str] = field(default_factory=dict)
    minutes: Counter[tuple[int, str]] = field(default_factory=Counter)

    def add(self, items: Mapping[str, PoolItem]) -> None:
        """Add an accepted pool. Items that were added before change nothing."""
        for key, item in items.items():
            if key not in self.events:
                self.events[key] = item.title
                self.minutes[window_of(item.at_millis), item.title] += 1


def pool_differences(expected: PoolSums, found: PoolSums) -> list[str]:
    """One line for each value in MongoDB that differs from what was accepted; empty if all are right."""
    lines = [
        f"event {key}: {found.events.get(key, 'nothing')}, expected {expected.events.get(key, 'nothing')}"
        for key in sorted(expected.events.keys() | found.events.keys())
        if expected.events.get(key) != found.events.get(key)
    ]
    lines += [
        f"minute {key[0]}, {key[1]}: {found.minutes[key]}, expected {expected.minutes[key]}"
        for key in sorted(expected.minutes.keys() | found.minutes.keys())
        if expected.minutes[key] != found.minutes[key]
    ]
    return lines
