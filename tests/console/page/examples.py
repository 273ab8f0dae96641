"""What the stub console answers: systems as the page may find them. Times end at the moment at which they are made."""

import base64
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from console.observer.snapshot import (
    HISTORY_POINTS,
    STEP_SECONDS,
    Check,
    History,
    PartitionNow,
    Point,
    Snapshot,
    TopicNow,
    Visible,
    instant,
)

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'

ALL_SCOPES = "tallymill.read tallymill.refusals tallymill.operate"


def jwt(**claims: object) -> str:
    """Looks like a token; its signature is none."""
    parts = ({"alg": "none"}, {"app": "demo", "sub": "grafana", "scope": ALL_SCOPES, **claims})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*coded, "c2lnbmVk"])


def history(base: float, lag: float = 0.05) -> Sequence[Point]:
    """Five minutes of a load that breathes. The numbers are the same in every run."""
    drawn = random.Random(base)  # noqa: S311 no secret
    points = []
    for step in range(HISTORY_POINTS):
        wave = base * (1 + 0.22 * math.sin(step / 17) + 0.09 * math.sin(step / 4.3))
        p50 = 0.041 + 0.01 * drawn.random()
        accepted = wave + base * 0.06 * drawn.random()
        counted = wave + base * 0.08 * drawn.random()
        points.append(Point(accepted, counted, lag * (0.5 + drawn.random()), p50, p50 * (3.2 + 1.8 * drawn.random())))
    return points


def partitions(now: int, many: int, records: int) -> Sequence[PartitionNow]:
    drawn = random.Random(many)  # noqa: S311 no secret
    return [
        PartitionNow(
            partition=number,
            owner=f"worker-{number % 4 + 1}",
            lag_records=drawn.randrange(0, 30),
            lag_seconds=round(drawn.random() * 0.2, 3),
            next=records // many - 12,
            end=records // many,
            last_flush_millis=now - drawn.randrange(20, 2_000),
            headroom_seconds=7 * DAY / 1000 - drawn.randrange(60),
        )
        for number in range(many)
    ]


def topic(api: str, name: str, now: int, accepted: int, per_second: float, many: int) -> TopicNow:
    duplicate, refused, dead, in_flight = accepted // 41, accepted // 3_117, 3 if api == "games" else 0, 214
    return TopicNow(
        api=api,  # type: ignore[arg-type]
        topic=name,
        accepted=accepted,
        applied=accepted - duplicate - refused - dead - in_flight,
        duplicate=duplicate,
        refused=refused,
        dead=dead,
        gaps=0,
        in_flight=in_flight,
        difference=0,
        accepted_per_second=per_second * 1.02,
        counted_per_second=per_second,
        lag_records=in_flight,
        lag_seconds=0.14,
        visible=Visible(p50=0.045 if api == "games" else 0.061, p99=0.188 if api == "games" else 0.213),
        dead_letters_open=dead,
        partitions=partitions(now, many, accepted),
    )


def well(now: int, many: int = 8) -> Snapshot:
    """A system under load where everything promised holds."""
    return Snapshot(
        as_of_millis=now,
        state="well",
        since_millis=now - 2 * HOUR - 51 * MINUTE,
        topics=(
            topic("games", "tallymill.records", now, 18_204_551, 3_184.0, many),
            topic("analytics", "tallymill.analytics", now, 2_310_877, 412.0, max(1, many // 2)),
        ),
        refused_per_second={"NOT_FOUND": 1.42, "INVALID_UPDATE_VALUE": 0.21, "TOO_LARGE": 0.0},
        history=History(
            [now - (HISTORY_POINTS - 1 - step) * STEP_SECONDS * 1000 for step in range(HISTORY_POINTS)],
            {"games": history(3_184.0), "analytics": history(412.0)},
        ),
        last_verify=Check(now - 9 * HOUR, ok=True, detail="20,515,428 records of 2 topics were counted exactly once"),
        last_doctor=Check(now - 26 * HOUR, ok=True, detail="clocks, topics, indexes and time-outs are as they must be"),
    )


def empty(now: int) -> Snapshot:
    """A system that was just started."""
    found = well(now, 2)
    nothing = Point(0.0, 0.0, 0.0, None, None)
    topics = [
        replace(
            one,
            accepted=0, applied=0, duplicate=0, refused=0, dead=0, gaps=0, in_flight=0,
            accepted_per_second=0.0, counted_per_second=0.0, lag_records=0, lag_seconds=0.0, visible=None,
            dead_letters_open=0,
            partitions=[
                PartitionNow(each.partition, each.owner, lag_records=0, lag_seconds=0.0, next=0, end=0)
                for each in one.partitions
            ],
        )
        for one in found.topics
    ]  # fmt: skip
    points = History([now - 2_000, now], {"games": [nothing] * 2, "analytics": [nothing] * 2})
    return replace(
        found,
        since_millis=now - 41_000,
        topics=topics,
        refused_per_second={},
        history=points,
        last_verify=None,
        last_doctor=None,
    )


def degraded(now: int, many: int = 8) -> Snapshot:
    """One partition is stopped, one has no owner, one is behind; verify is overdue."""
    found = well(now, many)
    games = found.topics[0]
    each = list(games.partitions)
    reason = "The log was cut: offset 2,275,560 is missing. It continues after `tallymill lineage`."
    each[3] = replace(each[3], stopped=reason, lag_records=48_211, lag_seconds=951.0, last_flush_millis=now - 951_000)
    each[5] = replace(each[5], owner=None, lag_records=2_904, lag_seconds=38.2, last_flush_millis=now - 39_000)
    each[6] = replace(each[6], lag_records=9_120, lag_seconds=74.0, headroom_seconds=11 * 3600.0)
    games = replace(games, partitions=each, lag_seconds=951.0, lag_records=60_400, in_flight=60_400, applied=None)
    applied = (games.accepted or 0) - (games.duplicate or 0) - (games.refused or 0) - (games.dead or 0) - 60_400
    points = [
        replace(one, lag_seconds=max(0.1, (step - 60) * 10.6)) for step, one in enumerate(found.history.points["games"])
    ]
    return replace(
        found,
        state="degraded",
        since_millis=now - 951_000,
        reasons=(
            f"games, partition 3 is stopped. {reason}",
            "games, partition 5 has no owner for 39 s.",
            "games, partition 6: unread records are removed in 11 h.",
        ),
        topics=(replace(games, applied=applied), found.topics[1]),
        history=replace(found.history, points={**found.history.points, "games": points}),
        last_verify=Check(now - 9 * DAY, ok=True, detail="18,110,020 records of 2 topics were counted exactly once"),
        last_doctor=Check(now - HOUR, ok=False, detail="tallymill.records: min.insync.replicas is 1, and should be 2"),
    )


def down(now: int) -> Snapshot:
    """MongoDB and Kafka do not answer, and a difference was found before."""
    found = well(now)
    games, analytics = found.topics
    unread = [
        replace(one, owner=None, lag_records=None, lag_seconds=None, headroom_seconds=None) for one in games.partitions
    ]
    lost = replace(games, accepted_per_second=None, counted_per_second=0.0, lag_seconds=None, lag_records=None)
    blind = replace(analytics, accepted=None, difference=None, in_flight=None, accepted_per_second=None, visible=None)
    points = {api: [*of[:-20], *([Point()] * 20)] for api, of in found.history.points.items()}
    return replace(
        found,
        state="down",
        since_millis=now - 83_000,
        reasons=(
            "Kafka does not answer at kafka-0.internal:9092: the connection is refused.",
            "games: the balance is off by 2. Run `tallymill verify`.",
        ),
        topics=(replace(lost, difference=2, visible=None, partitions=unread), replace(blind, partitions=())),
        history=replace(found.history, points=points),
    )


def counts(query: Mapping[str, str], now: int, many: int = 6) -> dict[str, Any]:
    """The answer of /v1/counts, with `top` and step=total."""
    step, source = query.get("step", "hour"), query.get("source", "games")
    names = [name for name in event_names(source, many) if query.get("event") in (None, name)]
    start, end = int(query["from"]), int(query["to"])
    answer = {"app": "demo", "source": source, "step": step, "asOf": instant(now)}
    if step == "total":
        made = list(_rows(names[:6], start, end, "hour"))
        totals = [(name, sum(row["count"] for row in made if row["event"] == name)) for name in names[:6]]
        totals += [(name, 1) for name in names[6:]]
        return answer | {"rows": [{"at": instant(start), "event": name, "count": total} for name, total in totals]}
    if "top" not in query:
        return answer | {"rows": list(_rows(names, start, end, step))}
    shown = names[: int(query["top"])]
    rest = [
        {"at": instant(at), "event": "(other)", "count": len(names) - len(shown)} for at in _starts(start, end, step)
    ]
    top = [{"event": name, "count": 1} for name in shown]
    return answer | {"top": top, "rows": [*_rows(shown, start, end, step), *rest]}


def event_names(source: str, many: int) -> list[str]:
    named = {
        "games": ["LEVEL_UP", "COIN_EARNED", "BOSS_DEFEATED", "QUEST_DONE", "ITEM_CRAFTED", "DAILY_LOGIN"],
        "analytics": ["Navigation", "Purchase", "Ad shown", "Crash", HOSTILE, "Share"],
    }[source]
    return [*named, *(f"EVENT_{number:04}" for number in range(len(named), many))][:many]


LENGTHS = {"minute": MINUTE, "hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 30 * DAY}


def _starts(start: int, end: int, step: str) -> range:
    return range(start, end, LENGTHS[step])


def _rows(names: Sequence[str], start: int, end: int, step: str) -> Iterator[dict[str, Any]]:
    length = LENGTHS[step]
    for at in _starts(start, end, step):
        for place, name in enumerate(names):
            wave = 1 + 0.55 * math.sin((at / DAY) * 2 * math.pi + place) + 0.15 * math.sin(at / length * (place + 2))
            much = int(length / 240 / (place + 1) ** 1.3 * wave) + place
            yield {"at": instant(at), "event": name, "count": much}


DEFINITIONS: list[dict[str, object]] = [
    {
        "app": "demo",
        "definitionId": name,
        "defaultLanguage": "en",
        "names": {"en": english, "pt-BR": portuguese},
        "descriptions": {"en": said},
        "imageUrl": None,
        "visibility": seen,
        "children": [],
        "format": "grouped",
        "declaredAt": "2026-10-02T09:00:00.000Z",
        "retiredAt": retired,
    }
    for name, english, portuguese, said, seen, retired in (
        ("LEVEL_UP", "Level up", "Subiu de nível", "A player reached the next level.", "REVEALED", None),
        ("COIN_EARNED", "Coins earned", "Moedas ganhas", "Coins picked up or paid out.", "REVEALED", None),
        ("BOSS_DEFEATED", "Boss defeated", "Chefe derrotado", "", "HIDDEN", None),
        ("QUEST_DONE", HOSTILE, "Missão", "A quest ended.", "REVEALED", "2026-11-20T12:00:00.000Z"),
    )
]


def refusals(now: int) -> list[dict[str, Any]]:
    causes = ("NOT_FOUND", "INVALID_UPDATE_VALUE", "NOT_FOUND", "TIME_PERIOD_EXPIRED", "NOT_FOUND", "TOO_LARGE")
    return [
        {
            "id": f"{place:024x}",
            "at": instant(now - place * 47_000),
            "player": ("ann", HOSTILE, "~4f1c", "bob")[place % 4],
            "requestId": str(7_205_759_403_792_793_600 + place),
            "cause": causes[place % len(causes)],
            "field": f"timePeriods[0].updates[{place}].definitionId",
            "firstBytes": '{"definitionId":"LEVLE_UP","updateCount":"1"}',
        }
        for place in range(18)
    ]


def dead_letters(now: int) -> list[dict[str, Any]]:
    reasons = ("not JSON: it ends after 211 bytes", "no app and no player: ce_source and key are missing")
    return [
        {
            "id": f"r1/0{place % 4}/{2_275_560 + place}",
            "topic": "tallymill.records",
            "at": instant(now - place * HOUR),
            "bytes": 211 + place,
            "reason": reasons[place % 2],
            "cause": reasons[place % 2].partition(":")[0],
            "player": ("ann", None)[place % 2],
            "cut": False,
            "redriven": instant(now - MINUTE) if place == 3 else None,
        }
        for place in range(4)
    ]
