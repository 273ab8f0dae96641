"""One player, one request, one receipt: what they ask for, and their replies. Pure.

A receipt's state follows from the checkpoint of its partition, as at the ingress (ingress/delivery/receipts.py). The
console has no keys, so it does not check the signature: the scope of the reader is the permission. What `exceptions`
says of the record of another app is not shown.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from console.queries.parameters import REQUIRED, Asked
from schemas.analytics.body import MAX_REQUEST_ID_CHARACTERS, identity_at
from schemas.checkpoints import has_passed
from schemas.coordinates import Coordinates, parse_coordinates
from schemas.documents import actor_of, event_key, millis_of, request_key
from schemas.errors.table import Refusal
from schemas.records.envelope import matches_player, rfc3339
from schemas.request_ids import StoredRequest, unpacked
from schemas.settings import APIS, Api
from serving.http.paging import digest_token
from serving.refused import Refused

Document = Mapping[str, Any]

PLAYER_PARAMETERS: Final = ("app", "limit", "pageToken")
REQUEST_PARAMETERS: Final = ("app", "player", "source")
RECEIPT_PARAMETERS: Final = ("app",)
DEFAULT_TOTALS = 1_000

# A pool's own events are looked for at its first places: some of them may have been invalid (A10).
PLACES = 10

INT64_MAX: Final = 2**63 - 1
_is_int64 = re.compile(r"-?[1-9][0-9]{0,18}\Z").match
_receipt = re.compile(
    r"(?P<lineage>[A-Za-z0-9_-]{1,32})\.(?P<partition>[0-9]{1,6})\.(?P<offset>[0-9]{1,18})\.(?P<issued>[0-9]{1,15})"
    r"(?:\.(?P<appended>[0-9]{1,15}))?\.[0-9a-f]{64}\Z"
).match
# An exception's time is the broker's, a receipt's is an ingress's and later.
MARGIN_SECONDS = 60
WRONG_PLAYER: Final = "Must be the id of a player or of an anonymous session"


@dataclass(frozen=True, slots=True)
class PlayerQuery:
    app: str
    player: str
    limit: int
    after: str = ""

    @property
    def actor(self) -> str:
        return actor_of(self.app, self.player)

    def without_page(self) -> tuple[str, ...]:
        """What all pages share: a page token is bound to it."""
        return ("players", self.app, self.player)


def player_query(asked: Asked, player: str, max_rows: int) -> PlayerQuery:
    """The query. Raises BadQuery."""
    if not matches_player(player):
        asked.refuse("player", WRONG_PLAYER)
    query = PlayerQuery(asked.app, player, asked.limit(DEFAULT_TOTALS, max_rows))
    place = asked.place(query.without_page(), (str,))
    asked.require_valid()
    return PlayerQuery(query.app, player, query.limit, place[0] if place else "")


@dataclass(frozen=True, slots=True)
class PlayerFound:
    """The player's document, and whether events of AddEvent are registered."""

    document: Document | None
    has_events: bool


def player_answer(query: PlayerQuery, found: PlayerFound) -> Document:
    """The reply: totals of events.record, sorted by event. Raises Refused for a player who has nothing."""
    if found.document is None and not found.has_events:
        raise Refused(Refusal.NO_PLAYER)
    totals = found.document["totals"] if found.document else {}
    rest = sorted(event for event, total in totals.items() if event > query.after and total)
    shown = rest[: query.limit]
    answer: dict[str, object] = {
        "basis": "counted",
        "app": query.app,
        "player": query.player,
        "totals": {event: totals[event] for event in shown},
        "updatedAt": rfc3339(millis_of(found.document["updatedAt"])) if found.document else None,
        "hasEvents": found.has_events,
    }
    if len(rest) > len(shown):
        answer["nextPageToken"] = digest_token((shown[-1],), query.without_page())
    return answer


@dataclass(frozen=True, slots=True)
class RequestQuery:
    app: str
    player: str
    source: Api
    request_id: str

    @property
    def key(self) -> str:
        """The whole id of a batch."""
        return request_key(self.app, self.player, int(self.request_id))

    @property
    def event_ids(self) -> list[str]:
        """The ids of a pool's first events."""
        actor = actor_of(self.app, self.player)
        return [event_key(self.app, self.player, identity_at(actor, self.request_id, place)) for place in range(PLACES)]


def request_query(asked: Asked, request_id: str) -> RequestQuery:
    """The query. Raises BadQuery that names each wrong parameter."""
    source = asked.one_of("source", APIS, "games")
    player = asked.parameters.get("player")
    if player is None:
        asked.refuse("player", f"{REQUIRED}: a requestId is unique only for one player")
    elif not matches_player(player):
        asked.refuse("player", WRONG_PLAYER)
    if source == "analytics" and len(request_id) > MAX_REQUEST_ID_CHARACTERS:
        asked.refuse("requestId", f"Must have at most {MAX_REQUEST_ID_CHARACTERS} characters")
    if source == "games" and not (_is_int64(request_id) and -INT64_MAX <= int(request_id) + 1 <= INT64_MAX + 1):
        asked.refuse("requestId", "Must be an int64 other than 0, without padding")
    asked.require_valid()
    return RequestQuery(asked.app, player or "", source or "games", request_id)


@dataclass(frozen=True, slots=True)
class Counted:
    """When Kafka stored the record that counted, and where."""

    at_millis: int
    place: Coordinates


def counted_batch(documents: Iterable[Document], key: str) -> Counted | None:
    """The newest record of a batch's id among documents of `requests`."""
    found: list[tuple[StoredRequest, Coordinates]] = []
    for document in documents:
        partition = parse_coordinates(document["_id"]).partition_id
        found += [(stored, Coordinates(*partition, stored.offset)) for _, stored in unpacked(document, {key})]
    newest = max(found, default=None)
    return newest and Counted(newest[0].time_millis, newest[1])


def counted_pool(documents: Iterable[Document]) -> Counted | None:
    """The record that registered events of a pool."""
    found = [Counted(millis_of(one["receivedAt"]), parse_coordinates(one["from"])) for one in documents]
    return min(found, key=lambda one: one.at_millis, default=None)


def request_answer(query: RequestQuery, counted: Counted | None) -> Document:
    """The reply. Raises Refused if the id is not remembered."""
    if counted is None:
        raise Refused(Refusal.NOT_SEEN)
    return {
        "basis": "counted",
        "app": query.app,
        "player": query.player,
        "source": query.source,
        "requestId": query.request_id,
        "state": "applied",
        "at": rfc3339(counted.at_millis),
        **_where(counted.place),
    }


def _where(place: Coordinates) -> Document:
    return {"lineage": place.lineage, "partition": place.partition, "offset": place.offset}


@dataclass(frozen=True, slots=True)
class ReceiptQuery:
    """`app`: whose exceptions may be shown; None for all."""

    text: str
    app: str | None
    place: Coordinates
    issued_millis: int
    append_millis: int | None


def receipt_query(asked: Asked, text: str) -> ReceiptQuery:
    """The query. Raises BadQuery, and Refused for a text that is no receipt."""
    asked.require_valid()
    found = _receipt(text)
    if found is None:
        raise Refused(Refusal.NOT_A_RECEIPT)
    place = Coordinates(found["lineage"], int(found["partition"]), int(found["offset"]))
    appended = found["appended"]
    app = None if asked.of_all_apps else asked.app
    return ReceiptQuery(text, app, place, int(found["issued"]), int(appended) if appended else None)


@dataclass(frozen=True, slots=True)
class PlaceFound:
    """What MongoDB says of a record's place. `is_newest`: its lineage is the newest of its topic.

    `kept_seconds`: how long exceptions are kept; None if for ever.
    """

    checkpoint: Document | None
    exception: Document | None
    topic: str | None
    is_newest: bool
    kept_seconds: int | None


def receipt_answer(query: ReceiptQuery, found: PlaceFound, now_millis: int) -> Document:
    """The reply. Raises Refused if the state cannot be known any more, or is another app's."""
    state, cause = _state(query, found, now_millis)
    return {
        "basis": "accepted",
        "receipt": query.text,
        "topic": found.topic,
        **_where(query.place),
        "issuedAt": rfc3339(query.issued_millis),
        "appendedAt": None if query.append_millis is None else rfc3339(query.append_millis),
        "counted": state in ("applied", "duplicate"),
        "state": state,
        "cause": cause,
    }


def _state(query: ReceiptQuery, found: PlaceFound, now_millis: int) -> tuple[str, str | None]:
    exception = found.exception
    passed = found.checkpoint is not None and has_passed(found.checkpoint, query.place.offset, query.append_millis)
    if passed and exception is not None:
        passed = query.append_millis in (None, millis_of(exception["at"]))
    if not passed:
        if found.is_newest:
            return "pending", None
        raise Refused(Refusal.RECEIPT_GONE)
    if exception is None:
        kept = found.kept_seconds
        if kept is not None and now_millis - query.issued_millis > (kept - MARGIN_SECONDS) * 1000:
            raise Refused(Refusal.RECEIPT_GONE)  # what was said of it may have been removed
        return "applied", None
    if query.app is not None and exception.get("app") not in (None, query.app):
        raise Refused(Refusal.NOT_A_RECEIPT)
    # Only the first words of a dead letter's reason: the rest may quote internal servers.
    fate, reason = exception["fate"], exception.get("cause", "")
    return fate, reason.partition(":")[0] if fate == "dead" else reason
