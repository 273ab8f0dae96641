"""Batches, records and settings that tests are made of."""

import json
from typing import Any

from consumer.core.records import Record
from schemas.envelope import Envelope, seal
from schemas.judging import Judgement
from schemas.signing import SigningKeys

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
