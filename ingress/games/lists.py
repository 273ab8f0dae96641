"""events.listByPlayer and events.listDefinitions (G19, G20): token 401 -> scope 403 -> query 400 -> what MongoDB says.

Whose they are comes from the token alone: no parameter names a player. Both read the player's totals, for HIDDEN
definitions are shown only to who has recorded them; so with MongoDB away both are 503, and nothing is guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ingress.auth.authenticator import Authenticator, require_games_scope
from ingress.games.definitions import Definitions
from ingress.games.images import default_image_url
from ingress.games.language import Languages, languages_asked, number_writer, text_for
from ingress.games.pages import BadPage, Listing, Page, cut, page_of, page_token
from ingress.games.replies import player_events
from ingress.http.body import Receive, headers_of
from ingress.http.pipeline import Scope
from ingress.http.query import query_of
from ingress.http.replies import Refusal, Refused, Reply
from ingress.ports import Totals, TotalsStore, Unavailable
from schemas.documents import Definition, utc
from schemas.games.body import EventChild, EventDefinition, EventDefinitionListResponse, PlayerEventListResponse
from schemas.records.signing import SigningKeys
from serving.clock import Clock
from serving.tokens.identity import Identity


@dataclass(frozen=True, slots=True)
class ListParts:
    """All that listing needs."""

    signing: SigningKeys
    clock: Clock
    authenticator: Authenticator
    definitions: Definitions
    store: TotalsStore
    public_url: str | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request, checked."""

    identity: Identity
    listing: Listing
    page: Page
    languages: Languages
    now_millis: int


def recorded(totals: Totals) -> Totals:
    """The events recorded at least once, retired ones too: they were recorded."""
    return {event: number for event, number in totals.items() if number > 0}


def shown_definitions(definitions: Mapping[str, Definition], totals: Totals, now_millis: int) -> tuple[Definition, ...]:
    """Those in force that this player may see."""
    now, own = utc(now_millis), recorded(totals)
    return tuple(
        one
        for one in definitions.values()
        if one.in_force(now) and (one.visibility == "REVEALED" or one.definition_id in own)
    )


def definition_item(
    one: Definition, shown: frozenset[str], languages: Languages, default_image: str
) -> EventDefinition:
    """The definition as a client sees it; a child it may not see is not named either."""
    return EventDefinition(
        id=one.definition_id,
        display_name=text_for(one.names, languages, one.default_language),
        description=text_for(one.descriptions, languages, one.default_language),
        image_url=one.image_url or default_image,
        is_default_image_url=not one.image_url,
        visibility=one.visibility,
        child_events=tuple(EventChild(child_id=child) for child in one.children if child in shown),
    )


class PlayerEvents:
    """`GET /games/v1/events`."""

    def __init__(self, parts: ListParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, _receive: Receive) -> Reply:
        parts = self._parts
        asked = await _asked(parts, scope, "events.listByPlayer")
        definitions, totals = await _known(parts, asked.identity)
        own = recorded(totals)
        shown, last = cut(own, str, asked.page)
        items = player_events(asked.identity.player, shown, own, number_writer(definitions, asked.languages))
        answer = PlayerEventListResponse(items=items, next_page_token=_token(parts, asked, last))
        return Reply(200, answer.model_dump_json().encode())


class EventDefinitions:
    """`GET /games/v1/eventDefinitions`."""

    def __init__(self, parts: ListParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, _receive: Receive) -> Reply:
        parts = self._parts
        asked = await _asked(parts, scope, "events.listDefinitions")
        definitions, totals = await _known(parts, asked.identity)
        visible = shown_definitions(definitions, totals, asked.now_millis)
        ids = frozenset(one.definition_id for one in visible)
        shown, last = cut(visible, lambda one: one.definition_id, asked.page)
        image = default_image_url(scope, parts.public_url)
        items = tuple(definition_item(one, ids, asked.languages, image) for one in shown)
        answer = EventDefinitionListResponse(items=items, next_page_token=_token(parts, asked, last))
        return Reply(200, answer.model_dump_json().encode())


async def _asked(parts: ListParts, scope: Scope, method: str) -> _Asked:
    """Raises Refused, in the order of B1."""
    now_millis = parts.clock.wall_millis()
    headers = headers_of(scope)
    identity = await parts.authenticator.identify(headers.get(b"authorization"), now_millis / 1000)
    require_games_scope(identity)
    query = query_of(scope)
    listing = Listing(identity.app, identity.player, method)
    try:
        page = page_of(query.parameters, listing, parts.signing)
    except BadPage as error:
        raise Refused(Refusal.MALFORMED, error.violations) from error
    languages = languages_asked(query.get("language"), headers.get(b"accept-language"))
    return _Asked(identity, listing, page, languages, now_millis)


async def _known(parts: ListParts, identity: Identity) -> tuple[Mapping[str, Definition], Totals]:
    """The app's definitions and the player's totals. Raises Refused."""
    try:
        return await parts.definitions.of(identity.app), await parts.store.player_totals(identity.actor)
    except Unavailable as error:
        raise Refused(Refusal.AWAY) from error


def _token(parts: ListParts, asked: _Asked, last: str | None) -> str | None:
    return None if last is None else page_token(last, asked.listing, parts.signing)
