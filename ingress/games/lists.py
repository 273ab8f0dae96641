"""events.listByPlayer and events.listDefinitions (G19, G20).

The checks run in this order: token 401, scope 403, query 400, MongoDB 503. The token names the player; no parameter
does. Both lists read the player's totals, because a HIDDEN definition is shown only to a player who has recorded it.
So both answer 503 while MongoDB is unavailable.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ingress.auth.authenticator import require_games_scope
from ingress.dependencies import Dependencies
from ingress.games.definitions import Definitions
from ingress.games.images import default_image_url
from ingress.games.language import Languages, languages_asked, number_writer, text_for
from ingress.games.pages import Listing, Page, cut, page_of
from ingress.games.replies import player_events
from ingress.ports import Totals, TotalsStore, Unavailable
from schemas.definitions import Definition
from schemas.documents import utc
from schemas.errors.table import Refusal
from schemas.games.body import EventChild, EventDefinition, EventDefinitionListResponse, PlayerEventListResponse
from serving.http.paging import signed_token
from serving.http.query import BadQuery
from serving.http.reply import Reply
from serving.http.request import Request
from serving.refused import Refused
from serving.tokens.identity import Identity


@dataclass(frozen=True, slots=True)
class _Checked:
    """A checked request: which page of which list, in which languages."""

    identity: Identity
    listing: Listing
    page: Page
    languages: Languages
    now_millis: int


def recorded(totals: Totals) -> Totals:
    """The events that were recorded at least once. They may be retired since."""
    return {event: number for event, number in totals.items() if number > 0}


def shown_definitions(definitions: Mapping[str, Definition], totals: Totals, now_millis: int) -> tuple[Definition, ...]:
    """The current definitions that the player with these totals may see."""
    now, own = utc(now_millis), recorded(totals)
    return tuple(
        one
        for one in definitions.values()
        if one.in_force(now) and (one.visibility == "REVEALED" or one.definition_id in own)
    )


def definition_item(
    one: Definition, shown: frozenset[str], languages: Languages, default_image: str
) -> EventDefinition:
    """The definition as a client sees it. `shown`: the ids of all definitions that the client may see."""
    return EventDefinition(
        id=one.definition_id,
        display_name=text_for(one.names, languages, one.default_language),
        description=text_for(one.descriptions, languages, one.default_language),
        image_url=one.image_url or default_image,
        is_default_image_url=not one.image_url,
        visibility=one.visibility,
        child_events=tuple(EventChild(child_id=child) for child in one.children if child in shown),
    )


class _List:
    """What the two endpoints share."""

    def __init__(self, shared: Dependencies, definitions: Definitions, store: TotalsStore) -> None:
        self._shared = shared
        self._definitions = definitions
        self._store = store

    async def _checked(self, request: Request, method: str) -> _Checked:
        """The checks of B1, in their order, but for MongoDB's. Raises Refused."""
        identity = await self._shared.authenticator.identify(request.bearer, request.wall_millis / 1000)
        require_games_scope(identity)
        listing = Listing(identity.app, identity.player, method)
        try:
            page = page_of(request.target.query, listing, self._shared.signing)
        except BadQuery as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error
        languages = languages_asked(request.target.query.get("language"), request.headers.get(b"accept-language"))
        return _Checked(identity, listing, page, languages, request.wall_millis)

    async def _known(self, identity: Identity) -> tuple[Mapping[str, Definition], Totals]:
        """The app's definitions and the player's totals. Raises Refused."""
        try:
            return await self._definitions.of(identity.app), await self._store.player_totals(identity.actor)
        except Unavailable as error:
            raise Refused(Refusal.AWAY) from error

    def _next_page_token(self, checked: _Checked, last: str | None) -> str | None:
        return None if last is None else signed_token(last, checked.listing, self._shared.signing)


class PlayerEvents(_List):
    """`GET /games/v1/events`."""

    async def __call__(self, request: Request) -> Reply:
        checked = await self._checked(request, "events.listByPlayer")
        definitions, totals = await self._known(checked.identity)
        own = recorded(totals)
        shown, last = cut(own, str, checked.page)
        items = player_events(checked.identity.player, shown, own, number_writer(definitions, checked.languages))
        answer = PlayerEventListResponse(items=items, next_page_token=self._next_page_token(checked, last))
        return Reply(200, answer.model_dump_json().encode())


class EventDefinitions(_List):
    """`GET /games/v1/eventDefinitions`. `public_url`: where clients find the default image."""

    def __init__(
        self, shared: Dependencies, definitions: Definitions, store: TotalsStore, public_url: str | None
    ) -> None:
        super().__init__(shared, definitions, store)
        self._public_url = public_url

    async def __call__(self, request: Request) -> Reply:
        checked = await self._checked(request, "events.listDefinitions")
        definitions, totals = await self._known(checked.identity)
        visible = shown_definitions(definitions, totals, checked.now_millis)
        ids = frozenset(one.definition_id for one in visible)
        shown, last = cut(visible, lambda one: one.definition_id, checked.page)
        image = default_image_url(request, self._public_url)
        items = tuple(definition_item(one, ids, checked.languages, image) for one in shown)
        answer = EventDefinitionListResponse(items=items, next_page_token=self._next_page_token(checked, last))
        return Reply(200, answer.model_dump_json().encode())
