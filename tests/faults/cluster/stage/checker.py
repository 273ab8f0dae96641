"""Compares the documents of MongoDB with what was acknowledged. It shares no code with tallymill.

`lost`: acknowledged and not counted. `double`: counted more than once. A request that was never acknowledged may have
counted once or not at all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pymongo import MongoClient
from pymongo.read_concern import ReadConcern

from tests.faults.cluster.stage.load import Ledger
from tests.faults.cluster.stage.requests import Sent, times_counted, title_of

EPOCH_MINUTE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Stored:
    """What was found: totals by player, items by number, counts by (minute since 1970, event)."""

    totals: dict[str, int]
    items: Counter[int]
    games: Counter[tuple[int, str]]
    analytics: Counter[tuple[int, str]]


@dataclass(slots=True)
class Verdict:
    """What became of the requests.

    `false_duplicates`: first attempts that were answered as if they had counted before. `wrong`: sums that fit neither.
    """

    acknowledged: int = 0
    open: int = 0
    lost: list[Sent] = field(default_factory=list)
    double: list[Sent] = field(default_factory=list)
    false_duplicates: list[Sent] = field(default_factory=list)
    refused: list[Sent] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    excused: bool = False
    """Whether Kafka lost what is lost, and the test has looked at it."""


def read_stored(uri: str, database: str, app: str) -> Stored:
    """By majority read of the primary."""
    with MongoClient[dict[str, Any]](uri, tz_aware=True, serverSelectionTimeoutMS=30_000) as client:
        db = client.get_database(database, read_concern=ReadConcern("majority"))
        totals = {one["_id"].partition("/")[2]: one["totals"].get("LEVEL_UP", 0) for one in db["players"].find()}
        items = Counter(one["data"]["n"] for one in db["events"].find({"app": app}, {"data": 1}))
        return Stored(totals, items, *(_minutes(db["period_counts"].find({"source": s})) for s in SOURCES))


SOURCES = ("games", "analytics")


def _minutes(hours: Iterable[dict[str, Any]]) -> Counter[tuple[int, str]]:
    found: Counter[tuple[int, str]] = Counter()
    for hour in hours:
        first = int(hour["hour"].timestamp()) // EPOCH_MINUTE_SECONDS
        for minute, count in hour["minutes"].items():
            found[first + int(minute), hour["event"]] += count
    return found


def judge(ledger: Ledger, stored: Stored) -> Verdict:
    """Compare request by request, then minute by minute."""
    verdict = Verdict(len(ledger.acknowledged), len(ledger.open))
    verdict.false_duplicates = ledger.false_duplicates
    verdict.refused = ledger.refused
    minutes: dict[str, Counter[tuple[int, str]]] = {"games": Counter(), "analytics": Counter()}
    for one in ledger.sent:
        times = _times(one, stored)
        if one.acked_at is not None and min(times) == 0:
            verdict.lost.append(one)
        if max(times) > 1:
            verdict.double.append(one)
        minutes[one.api].update(dict(_counts(one, times)))
    for api, found in (("games", stored.games), ("analytics", stored.analytics)):
        for key in sorted(minutes[api].keys() | found.keys()):
            if minutes[api][key] != found[key]:
                verdict.wrong.append(f"{api} minute {key}: {found[key]}, but totals and items say {minutes[api][key]}")
    return verdict


def _times(one: Sent, stored: Stored) -> list[int]:
    """How often each part of it counted."""
    if one.api == "games":
        return [times_counted(stored.totals.get(one.player, 0))[one.digit]]
    return [stored.items[item] for item in one.items]


def _counts(one: Sent, times: list[int]) -> Iterator[tuple[tuple[int, str], int]]:
    """What it adds to the minutes' counts."""
    if one.api == "games":
        yield (one.minute, "LEVEL_UP"), times[0] * one.weight
        return
    for item, number in zip(one.items, times, strict=True):
        yield (one.minute, title_of(item)), number
