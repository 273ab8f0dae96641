"""`GET /v1/events`: which events a page has, and how they are written as JSON. Pure.

Events are sorted newest first by `receivedAt` (when Kafka stored them), then by `_id`. Later events come before earlier
ones, so a walk through the pages returns every event that existed when it began exactly once. `from` and `to` refer to
`receivedAt` too: a client's own time may be wrong by years, and `receivedAt` already has an index, the one that expires
events, so that queries cost a flush nothing. That index does not contain `_id`. So a query by time reads a page in
steps, each in the order of the index:

    1. the rest of the millisecond in which the page before ended, by `_id`
    2. older events, by `receivedAt` only; the last millisecond may be incomplete, and is left out
    3. that millisecond, by `_id`

One player's events (the parameter `actor`) take one read, by the prefix of `_id`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from console.queries.parameters import Asked
from schemas.documents import millis_of
from schemas.records.envelope import matches_player, rfc3339
from serving.http.paging import digest_token

PARAMETERS: Final = ("app", "actor", "event", "from", "to", "tz", "limit", "pageToken")
DEFAULT_EVENTS = 100

# Greater than every `_id`.
_AFTER_ALL = "\U0010ffff"


class Key(NamedTuple):
    """The place of an event in the order. The newest event has the largest key."""

    received_millis: int
    id: str


@dataclass(frozen=True, slots=True)
class EventsQuery:
    app: str
    player: str | None
    event: str | None
    from_millis: int | None
    to_millis: int | None
    limit: int
    after: Key | None = None

    def without_page(self) -> tuple[str | int | None, ...]:
        """What all pages of the query share: a page token is bound to it."""
        return (self.app, self.player, self.event, self.from_millis, self.to_millis)


def events_query(asked: Asked, max_rows: int, max_days: int) -> EventsQuery:
    """The query of these parameters. Raises BadQuery that names each wrong one."""
    parameters = asked.parameters
    start, end = asked.range(asked.zone(), max_days, required=False)
    player = parameters.get("actor")
    if player is not None and not matches_player(player):
        asked.refuse("actor", "Must be the id of a player or of an anonymous session")
    if player is None and not ("from" in parameters and "to" in parameters):
        asked.refuse("actor", "Is required, or both from and to")
    limit = asked.limit(DEFAULT_EVENTS, max_rows)
    query = EventsQuery(asked.app, player, parameters.get("event"), start, end, limit)
    place = asked.place(query.without_page(), (int, str))
    asked.require_valid()
    return query if place is None else replace(query, after=Key(*place))


@dataclass(frozen=True, slots=True)
class KeysWanted:
    """A read of keys: newest first, at most `limit`, of a player or of an app, received in a range, after a place.

    `before`: that place. The keys after it are smaller. Without `exact`, the keys of one millisecond may come in any
    order.
    """

    app: str
    player: str | None
    event: str | None
    from_millis: int | None
    to_millis: int | None
    before: Key | None
    limit: int
    exact: bool


class KeysPage:
    """Builds the keys of a page: until `wanted` is None, the caller reads it and passes its keys to `add`.

    One key more than a page has shows whether there is a next page.
    """

    def __init__(self, query: EventsQuery) -> None:
        self._query = query
        self._most = query.limit + 1
        self._found: list[Key] = []
        self.wanted: KeysWanted | None = self._first()

    def _first(self) -> KeysWanted:
        query = self._query
        if query.player is not None:
            edges = query.from_millis, query.to_millis
            return KeysWanted(query.app, query.player, query.event, *edges, query.after, self._most, exact=True)
        return self._millisecond(query.after) if query.after else self._older(query.to_millis)

    def _millisecond(self, before: Key) -> KeysWanted:
        """The read of what follows a place within its millisecond."""
        at, left = before.received_millis, self._most - len(self._found)
        return KeysWanted(self._query.app, None, self._query.event, at, at + 1, before, left, exact=True)

    def _older(self, to_millis: int | None) -> KeysWanted:
        query, left = self._query, self._most - len(self._found)
        return KeysWanted(query.app, None, query.event, query.from_millis, to_millis, None, left, exact=False)

    def add(self, keys: Sequence[Key]) -> None:
        """Adds all keys that `wanted` found."""
        wanted = self.wanted
        assert wanted is not None  # noqa: S101 the caller's loop ends there
        full = len(keys) == wanted.limit
        if wanted.exact:
            self._found += keys
            goes_on = wanted.player is None and not full and wanted.before == self._query.after
            self.wanted = self._older(wanted.from_millis) if goes_on else None
            return
        last = keys[-1].received_millis if full else None
        self._found += sorted((key for key in keys if key.received_millis != last), reverse=True)
        self.wanted = None if last is None else self._millisecond(Key(last, _AFTER_ALL))

    @property
    def keys(self) -> Sequence[Key]:
        return self._found[: self._query.limit]

    @property
    def more(self) -> bool:
        return len(self._found) > self._query.limit


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it is stored, and its size."""

    document: Mapping[str, Any]
    size_bytes: int


def events_answer(query: EventsQuery, page: KeysPage, shown: Sequence[Stored], last: Key | None) -> dict[str, object]:
    """The reply. `last`: the last key whose event was read. It is not the page's last key if the page was too large."""
    found = [event_json(one.document) for one in shown]
    answer: dict[str, object] = {"basis": "counted", "app": query.app, "events": found}
    if last is not None and (page.more or last != page.keys[-1]):
        answer["nextPageToken"] = digest_token(last, query.without_page())
    return answer


def event_json(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, with `_id` as `id`. Its data is returned as it was sent, whatever its keys are."""
    return {"id" if name == "_id" else name: plain(value) for name, value in document.items()}


def plain(value: object) -> object:
    """A BSON value as JSON. Integers are numbers, even beyond 2^53. Times are RFC 3339 with milliseconds."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return rfc3339(millis_of(value)) if isinstance(value, datetime) else value
