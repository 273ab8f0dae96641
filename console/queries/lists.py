"""The lists: apps, definitions, refusals and dead letters. What they ask for, and their replies. Pure.

One item more than a page has is read, which shows whether there is a next page.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from console.queries.events import plain
from console.queries.parameters import Asked
from schemas.coordinates import parse_coordinates
from schemas.documents import app_and_player, millis_of
from schemas.records.envelope import matches_player, rfc3339
from serving.http.paging import digest_token

Document = Mapping[str, Any]

MAX_APPS = 100
MAX_ITEMS = 500
DEFAULT_ITEMS = 100

APPS_PARAMETERS: Final = ("app", "limit", "pageToken")
DEFINITIONS_PARAMETERS: Final = ("app", "limit", "pageToken")
REFUSALS_PARAMETERS: Final = ("app", "cause", "player", "limit", "pageToken")
DEAD_LETTERS_PARAMETERS: Final = ("app", "cause", "redriven", "limit", "pageToken")

_is_object_id = re.compile(r"[0-9a-f]{24}\Z").match


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A page of a list. `app`: None for all apps. `where`: the filters by name. `after`: where the page begins."""

    name: str
    app: str | None
    limit: int
    where: Mapping[str, str]
    after: tuple[Any, ...] | None = None

    def without_page(self) -> tuple[str | None, ...]:
        """What all pages of the query share: a page token is bound to it."""
        return _bound(self.name, self.app, self.where)


def _bound(name: str, app: str | None, where: Mapping[str, str]) -> tuple[str | None, ...]:
    return (name, app, *(part for pair in sorted(where.items()) for part in pair))


def _list_query(asked: Asked, name: str, filters: Sequence[str], shape: Sequence[type], most: int) -> ListQuery:
    """The query. Raises BadQuery that names each wrong parameter."""
    app = None if asked.of_all_apps else asked.app
    where = {one: asked.parameters[one] for one in filters if one in asked.parameters}
    limit = asked.limit(min(DEFAULT_ITEMS, most), most)
    after = asked.place(_bound(name, app, where), shape)
    asked.require_valid()
    return ListQuery(name, app, limit, where, after)


def apps_query(asked: Asked) -> ListQuery:
    """All apps for operators, otherwise the caller's own."""
    return _list_query(asked, "apps", (), (str,), MAX_APPS)


def definitions_query(asked: Asked) -> ListQuery:
    """The definitions of one app."""
    of_one_app = Asked(asked.parameters, asked.app, wrong=asked.wrong)
    return _list_query(of_one_app, "definitions", (), (str,), MAX_ITEMS)


def refusals_query(asked: Asked) -> ListQuery:
    """The refusals of an app, or for operators of all."""
    player = asked.parameters.get("player")
    if player is not None and not matches_player(player):
        asked.refuse("player", "Must be a player's id")
    query = _list_query(asked, "refusals", ("cause", "player"), (str,), MAX_ITEMS)
    if query.after and not _is_object_id(query.after[0]):
        asked.refuse("pageToken", "Must be a nextPageToken that this list returned")
        asked.require_valid()
    return query


def dead_letters_query(asked: Asked) -> ListQuery:
    """The dead letters of an app, or for operators of all."""
    if "redriven" in asked.parameters:
        asked.one_of("redriven", ("true", "false"))
    return _list_query(asked, "dead-letters", ("cause", "redriven"), (int, str), MAX_ITEMS)


def _page(query: ListQuery, key: str, items: Sequence[Document], next_place: Sequence[str | int] | None) -> Document:
    answer: dict[str, object] = {"app": query.app, key: items}
    return {**answer, "nextPageToken": digest_token(next_place, query.without_page())} if next_place else answer


@dataclass(frozen=True, slots=True)
class AppFound:
    """An app that has definitions or counts. `definitions`: how many are in force."""

    app: str
    definitions: int
    games: bool
    analytics: bool


def apps_answer(query: ListQuery, found: Sequence[AppFound]) -> Document:
    """The reply."""
    shown = found[: query.limit]
    apps = [
        {
            "app": one.app,
            "definitions": one.definitions,
            "counted": [name for name, has in (("games", one.games), ("analytics", one.analytics)) if has],
        }
        for one in shown
    ]
    answer: dict[str, object] = {"basis": "counted", "apps": apps}
    if len(found) > len(shown):
        answer["nextPageToken"] = digest_token((shown[-1].app,), query.without_page())
    return answer


def definitions_answer(query: ListQuery, found: Sequence[Document]) -> Document:
    """The reply. What another program wrote into a document beside its fields is not shown."""
    shown = found[: query.limit]
    items = [{name: plain(one.get(name)) for name in _DEFINITION_FIELDS} for one in shown]
    return _page(query, "definitions", items, (shown[-1]["_id"],) if len(found) > len(shown) else None)


_DEFINITION_FIELDS = (
    "definitionId",
    "defaultLanguage",
    "names",
    "descriptions",
    "imageUrl",
    "visibility",
    "children",
    "format",
    "declaredAt",
    "retiredAt",
    "updatedAt",
)


def refusals_answer(query: ListQuery, found: Sequence[Document], causes: Mapping[str, int] | None) -> Document:
    """The reply. `causes`: the size of the whole sample by cause, on the first page."""
    shown = found[: query.limit]
    items = [_refusal(one) for one in shown]
    answer = {"basis": "refused", **_page(query, "refusals", items, _last_id(shown, found))}
    if causes is None:
        return answer
    by_size = sorted(causes.items(), key=lambda one: (-one[1], one[0]))
    return {**answer, "causes": [{"cause": cause, "samples": samples} for cause, samples in by_size]}


def _last_id(shown: Sequence[Document], found: Sequence[Document]) -> tuple[str] | None:
    return (str(shown[-1]["_id"]),) if len(found) > len(shown) else None


def _refusal(document: Document) -> Document:
    request_id = document["requestId"]
    return {
        "id": str(document["_id"]),
        "at": rfc3339(millis_of(document["at"])),
        "app": document["app"],
        "player": document["player"],
        "requestId": None if request_id is None else str(request_id),
        "cause": document["cause"],
        "field": document["field"],
        "firstBytes": document["firstBytes"].decode(errors="backslashreplace"),
    }


def dead_letters_answer(
    query: ListQuery, found: Sequence[Document], topics: Mapping[str, str], *, with_reasons: bool
) -> Document:
    """The reply. A reason may quote internal servers, so without `with_reasons` it is only its first words."""
    shown = found[: query.limit]
    items = [_dead_letter(one, topics, with_reasons=with_reasons) for one in shown]
    last = (millis_of(shown[-1]["at"]), shown[-1]["_id"]) if len(found) > len(shown) else None
    return {"basis": "accepted", **_page(query, "deadLetters", items, last)}


def _dead_letter(document: Document, topics: Mapping[str, str], *, with_reasons: bool) -> Document:
    place = parse_coordinates(document["_id"])
    app, player = app_and_player(actor_of_key(document["key"]))
    cause, redriven = cause_of(document["reason"]), document.get("redriven")
    return {
        "id": document["_id"],
        "topic": topics.get(place.lineage),
        "lineage": place.lineage,
        "partition": place.partition,
        "offset": place.offset,
        "app": app or None,
        "player": player or None,
        "cause": cause,
        "reason": document["reason"] if with_reasons else cause,
        "at": rfc3339(millis_of(document["at"])),
        "bytes": document["cut"]["bytes"] if document.get("cut") else document["size"],
        "cut": bool(document.get("cut")),
        "redriven": rfc3339(millis_of(redriven)) if redriven else None,
    }


def cause_of(reason: str) -> str:
    """The first words of a dead letter's reason."""
    return reason.partition(":")[0]


def actor_of_key(key: bytes | None) -> str:
    """The actor that a record's key names; empty if it names none."""
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError:
        return ""
    return text if "/" in text else ""


def is_of_app(document: Document, app: str | None) -> bool:
    """Whether a dead letter is of this app, by its record's key; any is for None."""
    return app is None or app_and_player(actor_of_key(document["key"]))[0] == app
