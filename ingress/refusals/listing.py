"""`GET /v1/refusals`: why events of an app were dropped, as far as the sample knows; newest first, a page at a time.

The app is the token's, and the scope an operator's: it shows what all players of the app have sent.
"""

import re

from ingress.auth.authenticator import Authenticator
from ingress.http.body import Receive, headers_of
from ingress.http.metrics import CAUSES
from ingress.http.pipeline import Scope
from ingress.http.query import Query, query_of
from ingress.http.replies import Refusal, Refused, Reply
from ingress.ports import FoundRefusal, RefusalQuery, RefusalStore, Unavailable
from schemas.records.envelope import matches_player, rfc3339
from schemas.wire.malformed import Violation
from schemas.wire.refusals import DEFAULT_REFUSALS, MAX_REFUSALS, REFUSALS_SCOPE, RefusalAnswer, RefusalsAnswer
from serving.clock import Clock
from serving.tokens.identity import Identity

_is_refusal_id = re.compile(r"[0-9a-f]{24}\Z").match
_is_limit = re.compile(r"[1-9][0-9]{0,8}\Z").match


class RefusalsPage:
    """The endpoint."""

    def __init__(self, authenticator: Authenticator, clock: Clock, store: RefusalStore) -> None:
        self._authenticator = authenticator
        self._clock = clock
        self._store = store

    async def __call__(self, scope: Scope, _receive: Receive) -> Reply:
        authorization = headers_of(scope).get(b"authorization")
        identity = await self._authenticator.identify(authorization, self._clock.wall_millis() / 1000)
        _require_scope(identity)
        query = refusal_query(query_of(scope))
        try:
            # One more than asked for tells whether there is another page.
            asked = RefusalQuery(query.limit + 1, query.cause, query.player, query.before)
            found = await self._store.refusals(identity.app, asked)
        except Unavailable as error:
            raise Refused(Refusal.AWAY) from error
        page = found[: query.limit]
        more = page[-1].refusal_id if len(found) > len(page) else None
        answer = RefusalsAnswer(refusals=tuple(_answer(one) for one in page), next_before=more)
        return Reply(200, answer.model_dump_json().encode())


def _require_scope(identity: Identity) -> None:
    if REFUSALS_SCOPE not in identity.scopes:
        raise Refused(Refusal.FORBIDDEN_REFUSALS)


def refusal_query(query: Query) -> RefusalQuery:
    """What the query asks for. Raises Refused naming each parameter that is wrong; others are ignored (G2)."""
    limit, cause, player, before = (query.get(name) or None for name in ("limit", "cause", "player", "before"))
    checks = (
        ("limit", limit is None or _is_limit(limit), "Must be a number from 1"),
        ("cause", cause is None or cause in CAUSES, "There is no such cause"),
        ("player", player is None or matches_player(player), "Must be a player's id"),
        ("before", before is None or _is_refusal_id(before), "Must be the id of a refusal"),
    )
    if wrong := tuple(Violation(field=name, description=why) for name, fits, why in checks if not fits):
        raise Refused(Refusal.MALFORMED, wrong)
    return RefusalQuery(min(int(limit or DEFAULT_REFUSALS), MAX_REFUSALS), cause, player, before)


def _answer(found: FoundRefusal) -> RefusalAnswer:
    refusal = found.refusal
    return RefusalAnswer(
        id=found.refusal_id,
        at=rfc3339(refusal.at_millis),
        player=refusal.player,
        request_id=refusal.request_id,
        cause=refusal.cause,
        field=refusal.field,
        first_bytes=refusal.first_bytes.decode(errors="backslashreplace"),
    )
