"""`GET /v1/refusals`: why events of an app were dropped, from the recorded sample; newest first, in pages.

The token names the app. It needs an operator's scope, because the page shows what all players of the app have sent.
"""

import re
from collections.abc import Mapping

from ingress.auth.authenticator import Authenticator
from ingress.http.refused_causes import KNOWN_CAUSES
from ingress.ports import FoundRefusal, RefusalQuery, RefusalStore, Unavailable
from schemas.errors.table import Refusal
from schemas.records.envelope import matches_player, rfc3339
from schemas.wire.malformed import Violation
from schemas.wire.refusals import DEFAULT_REFUSALS, MAX_REFUSALS, REFUSALS_SCOPE, RefusalAnswer, RefusalsAnswer
from serving.http.paging import WRONG_SIZE, page_size
from serving.http.reply import Reply
from serving.http.request import Request
from serving.refused import Refused

_is_refusal_id = re.compile(r"[0-9a-f]{24}\Z").match


class RefusalsPage:
    """The endpoint."""

    def __init__(self, authenticator: Authenticator, store: RefusalStore) -> None:
        self._authenticator = authenticator
        self._store = store

    async def __call__(self, request: Request) -> Reply:
        identity = await self._authenticator.identify(request.bearer, request.wall_millis / 1000)
        if REFUSALS_SCOPE not in identity.scopes:
            raise Refused(Refusal.FORBIDDEN_REFUSALS)
        query = refusal_query(request.target.query)
        try:
            # One more than the limit shows whether there is another page.
            asked = RefusalQuery(query.limit + 1, query.cause, query.player, query.before)
            found = await self._store.refusals(identity.app, asked)
        except Unavailable as error:
            raise Refused(Refusal.AWAY) from error
        page = found[: query.limit]
        more = page[-1].refusal_id if len(found) > len(page) else None
        answer = RefusalsAnswer(refusals=tuple(_answer(one) for one in page), next_before=more)
        return Reply(200, answer.model_dump_json().encode())


def refusal_query(query: Mapping[str, str]) -> RefusalQuery:
    """The query's parameters. Raises Refused that names each wrong one. Unknown ones are ignored (G2)."""
    limit, cause, player, before = (query.get(name) or None for name in ("limit", "cause", "player", "before"))
    size = page_size(limit, MAX_REFUSALS) if limit else DEFAULT_REFUSALS
    checks = (
        ("limit", size is not None, WRONG_SIZE),
        ("cause", cause is None or cause in KNOWN_CAUSES, "There is no such cause"),
        ("player", player is None or matches_player(player), "Must be a player's id"),
        ("before", before is None or _is_refusal_id(before), "Must be the id of a refusal"),
    )
    wrong = tuple(Violation(field=name, description=why) for name, fits, why in checks if not fits)
    if size is None or wrong:
        raise Refused(Refusal.MALFORMED, wrong)
    return RefusalQuery(size, cause, player, before)


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
