"""The envelope of a record: Kafka key and headers (CloudEvents 1.0, Kafka protocol binding, binary mode).

Key: `app/player`. Headers: ce_specversion, ce_id (requestId), ce_source (/apps/A/players/P), ce_type, ce_time (when
the ingress received it), content-type, `judged` (what the ingress refused of the batch). Value: the request body.

`judged` carries a signature over the envelope and the value. So only an ingress can write it, and it can't be copied
to another record. The worker judges a record without a valid signature.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from schemas.documents import actor_of, app_and_player, millis_of, utc
from schemas.games.body import EventFailureCause, EventUpdateFailureCause
from schemas.games.judging import NOTHING_REFUSED, Judgement, matches_id
from schemas.records.headers import Headers, by_name
from schemas.records.signing import SigningKeys

CE_TYPE = "tallymill.games.events.record"
CONTENT_TYPE = "application/json"

# A player stands in document ids between slashes. `~` marks an anonymous session; no token can claim it.
ANONYMOUS_PREFIX = "~"
PLAYER_PATTERN = r"^[^/\x00-\x1f\x7f\ud800-\udfff]{1,128}\Z"
matches_player = re.compile(PLAYER_PATTERN).match

# Senders whose names are kept as records have them, about 300 bytes each.
MAX_SENDERS = 10_000

# The start of the year 9000. A record's time lies between 1970 and this, so that it stays a valid datetime, in Python
# and in MongoDB, when a shift or a window is added.
MAX_TIME_MILLIS = 221_845_392_000_000

_SOURCE = re.compile(r"/apps/([^/]+)/players/([^/]+)\Z")
_is_plain_source = re.compile(rb"/apps/([A-Za-z0-9_-]{1,64})/players/([A-Za-z0-9_.~-]{1,128})\Z").match


class MalformedEnvelope(ValueError):
    """Neither headers nor key name app and player, or the signed header can't be read.

    The message names the part, and quotes nothing of it.
    """


def clamped_millis(millis: int) -> int:
    """A record's time, moved into the range of times that can be stored."""
    return min(max(millis, 0), MAX_TIME_MILLIS)


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Whose batch it is and when it was received. `judged` is None if no ingress has judged it."""

    app: str
    player: str
    received_millis: int
    judged: Judgement | None

    @property
    def actor(self) -> str:
        """`app/player`: the record's key, and the `_id` of the player's document."""
        return actor_of(self.app, self.player)


class Carrier(NamedTuple):
    """The parts of the headers that differ by API. `judged` is JSON, without its signature."""

    ce_type: str
    ce_id: str
    content_type: str
    judged: bytes


def seal(envelope: Envelope, request_id: int, body: bytes, keys: SigningKeys) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Key and headers of the record that carries `body` of events.record. The envelope must be judged."""
    if envelope.judged is None:
        raise ValueError("an envelope must be judged before it is sealed")
    return carry(
        envelope, Carrier(CE_TYPE, str(request_id), CONTENT_TYPE, _judgement_json(envelope.judged)), body, keys
    )


def carry(
    owner: "Owner | Envelope", carrier: Carrier, body: bytes, keys: SigningKeys
) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Key and headers of a record of `owner`, signed."""
    key, ce_source = _names(owner.app, owner.player)
    ce_id = carrier.ce_id.encode()
    ce_time = rfc3339(owner.received_millis).encode()
    mac = keys.sign((carrier.judged, ce_id, ce_source, ce_time, body))
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", ce_id),
        ("ce_source", ce_source),
        ("ce_type", carrier.ce_type.encode()),
        ("ce_time", ce_time),
        ("content-type", carrier.content_type.encode()),
        ("judged", carrier.judged + b"." + mac.encode()),
    ]
    return key, headers


@lru_cache(MAX_SENDERS)
def _names(app: str, player: str) -> tuple[bytes, bytes]:
    """The key and the ce_source of a player's records."""
    return actor_of(app, player).encode(), f"/apps/{app}/players/{quote(player, safe='')}".encode()


def unseal(key: bytes | None, headers: Headers, body: bytes, timestamp_millis: int, keys: SigningKeys) -> Envelope:
    """The envelope of a record. `timestamp_millis` is Kafka's time, for a record without ce_time.

    Raises MalformedEnvelope.
    """
    owner, judged = opened(key, headers, body, timestamp_millis, keys)
    found = None if judged is None else NOTHING_REFUSED if judged == b"{}" else _judgement_of(signed_parts(judged))
    return Envelope(owner.app, owner.player, owner.received_millis, found)


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Whose record it is and when it was received (ms since 1970 UTC)."""

    app: str
    player: str
    received_millis: int


def opened(
    key: bytes | None, headers: Headers, body: bytes, timestamp_millis: int, keys: SigningKeys
) -> tuple[Owner, bytes | None]:
    """The owner of a record, and `judged` if an ingress signed it. Raises MalformedEnvelope."""
    named = by_name(headers)
    app, player = _owner(named.get("ce_source"), key)
    received = _millis(named.get("ce_time"))
    judged = _verified(named, body, keys)
    if judged is None or received is None:
        # This ce_time is untrusted. A time after the broker's own is certainly wrong.
        now = clamped_millis(timestamp_millis)
        return Owner(app, player, now if received is None else min(received, now)), None
    return Owner(app, player, received), judged


def signed_parts(judged: bytes) -> dict[str, Any]:
    """The signed JSON. Raises MalformedEnvelope: a later version may write it in another form."""
    try:
        parts = json.loads(judged)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, dict):
        raise MalformedEnvelope("judged")
    return parts


def _owner(source: bytes | None, key: bytes | None) -> tuple[str, str]:
    """App and player. Most sources are plain: nothing in them is escaped, and both ids are short enough."""
    if source is not None and (plain := _is_plain_source(source)):
        return plain[1].decode(), plain[2].decode()
    try:
        if source is not None:
            found = _SOURCE.match(source.decode())
            app, player = (found[1], unquote(found[2], errors="strict")) if found else ("", "")
        else:
            app, player = app_and_player((key or b"").decode())
    except UnicodeDecodeError:
        app = player = ""
    if not (matches_id(app) and matches_player(player)):
        raise MalformedEnvelope("ce_source" if source is not None else "key")
    return app, player


def _verified(headers: Mapping[str, bytes], body: bytes, keys: SigningKeys) -> bytes | None:
    judged, _, mac = headers.get("judged", b"").rpartition(b".")
    signed = (judged, headers.get("ce_id", b""), headers.get("ce_source", b""), headers.get("ce_time", b""), body)
    return judged if judged and keys.verifies(signed, mac) else None


def is_signed(headers: Headers, body: bytes, keys: SigningKeys) -> bool:
    """Whether an ingress produced this record, even if it can't be read. Never raises."""
    return _verified({name: value for name, value in headers if value is not None}, body, keys) is not None


def _judgement_json(judgement: Judgement) -> bytes:
    if judgement is NOTHING_REFUSED:
        return b"{}"
    parts = {"shift": judgement.shift_millis, "periods": judgement.periods, "updates": judgement.updates}
    refused = {name: part for name, part in parts.items() if part}
    return json.dumps(refused, separators=(",", ":")).encode() if refused else b"{}"


def _judgement_of(parts: dict[str, Any]) -> Judgement:
    try:
        return Judgement(
            shift_millis=_whole(parts.get("shift", 0)),
            periods=tuple((_whole(i), EventFailureCause(cause)) for i, cause in parts.get("periods", ())),
            updates=tuple(
                (_whole(i), _whole(j), EventUpdateFailureCause(cause)) for i, j, cause in parts.get("updates", ())
            ),
        )
    except (ValueError, TypeError) as error:
        raise MalformedEnvelope("judged") from error


def _whole(number: object) -> int:
    """A number in `judged`: a position or a shift in ms. Raises ValueError."""
    if type(number) is not int or abs(number) > MAX_TIME_MILLIS:
        raise ValueError("number")
    return number


def rfc3339(millis: int) -> str:
    """`2026-11-23T13:07:00.000Z`."""
    seconds, rest = divmod(millis, 1000)
    return f"{_second(seconds)}.{rest:03}Z"


@lru_cache(16)
def _second(seconds: int) -> str:
    """Most calls are for the current second: to write it takes ten times as long as to find it."""
    return utc(seconds * 1000).isoformat(timespec="seconds").removesuffix("+00:00")


def _millis(time: bytes | None) -> int | None:
    """RFC 3339 to ms since 1970 UTC. None for anything else: without a zone, before 1970, or too late to be stored."""
    if time is None:
        return None
    try:
        millis = millis_of(datetime.fromisoformat(time.decode()))
    except (ValueError, TypeError, OverflowError):
        return None
    return millis if 0 <= millis <= MAX_TIME_MILLIS else None
