"""Batches, records and settings that tests are made of."""

import json
from typing import Any

from consumer.core.records import Record
from schemas.analytics.body import JSON_TYPE
from schemas.games.judging import Judgement
from schemas.records.envelope import Envelope, Owner, seal
from schemas.records.pools import PoolJudgement, seal_pool
from schemas.records.signing import SigningKeys

KEYS = SigningKeys((b"a key of sixteen bytes or more",))
NOW = 1_790_000_070_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def update(event: str = "LEVEL_UP", count: object = "1") -> dict[str, Any]:
    return {"definitionId": event, "updateCount": count}


def period(*updates: dict[str, Any], start: int = NOW - HOUR, end: int | None = None) -> dict[str, Any]:
    until = start + MINUTE if end is None else end
    return {"timePeriod": {"periodStartMillis": str(start), "periodEndMillis": str(until)}, "updates": list(updates)}


def batch(*periods: dict[str, Any], request_id: object = "1", **more: object) -> bytes:
    return json.dumps({"requestId": request_id, "timePeriods": list(periods), **more}).encode()


def sealed(
    offset: int,
    body: bytes,
    *,
    request_id: int = 1,
    app: str = "demo",
    player: str = "ann",
    time_millis: int = NOW,
    judgement: Judgement | None = None,
) -> Record:
    """A record as an ingress writes it."""
    envelope = Envelope(app, player, NOW, judgement or Judgement())
    key, headers = seal(envelope, request_id, body, KEYS)
    return Record(offset, time_millis, key, body, headers)


def item(title: str = "Navigation", at_millis: int = NOW, **data: object) -> dict[str, Any]:
    return {"Timestamp": str(at_millis), "Event": title, "Data": data}


def pool(*items: object, **more: object) -> bytes:
    return json.dumps({"Token": "", "eventData": list(items), **more}).encode()


def sealed_pool(
    offset: int,
    body: bytes,
    *,
    player: str = "ann",
    time_millis: int = NOW,
    received_millis: int = NOW,
    partial: bool = False,
    request_id: str | None = None,
) -> Record:
    """A record of the analytics topic as an ingress writes it."""
    owner, judgement = Owner("demo", player, received_millis), PoolJudgement(partial=partial, request_id=request_id)
    key, headers = seal_pool(owner, judgement, JSON_TYPE, body, KEYS)
    return Record(offset, time_millis, key, body, headers)
