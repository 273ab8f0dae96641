"""`GET /v1/apps`, `/v1/definitions`, `/v1/refusals` and `/v1/dead-letters`."""

from console.metrics import APPS, DEAD_LETTERS, DEFINITIONS, REFUSALS
from console.queries import lists
from console.queries.lists import ListQuery
from console.queries.parameters import Asked
from console.reading import Parts
from schemas.wire.refusals import REFUSALS_SCOPE
from serving.http.replies import json_reply
from serving.http.reply import Reply
from serving.http.request import Request


class Apps:
    """All apps for operators; for a reader the own app."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        query = await self._parts.asked(request, lists.APPS_PARAMETERS, lists.apps_query)
        lookups = self._parts.store.lookups
        async with self._parts.querying(APPS):
            if query.app is None:
                found = await lookups.apps(query.after[0] if query.after else None, query.limit + 1)
            else:
                found = [await lookups.app(query.app)]
        self._parts.metrics.read(APPS, len(found))
        return json_reply(200, lists.apps_answer(query, found), spaced=True)


class Definitions:
    """The definitions of an app, retired ones too."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        query = await self._parts.asked(request, lists.DEFINITIONS_PARAMETERS, lists.definitions_query)
        after = query.after[0] if query.after else None
        async with self._parts.querying(DEFINITIONS):
            found = await self._parts.store.lookups.definitions(query.app or "", after, query.limit + 1)
        self._parts.metrics.read(DEFINITIONS, len(found))
        return json_reply(200, lists.definitions_answer(query, found), spaced=True)


class Refusals:
    """The sample of what the ingress refused, by cause."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        query = await self._parts.asked(request, lists.REFUSALS_PARAMETERS, lists.refusals_query, REFUSALS_SCOPE)
        lookups = self._parts.store.lookups
        async with self._parts.querying(REFUSALS):
            found = await lookups.refusals(query)
            causes = None if query.after else await lookups.refusal_causes(query)
        self._parts.metrics.read(REFUSALS, len(found))
        return json_reply(200, lists.refusals_answer(query, found, causes), spaced=True)


class DeadLetters:
    """Records that could not be read or stored."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        def reading(asked: Asked) -> tuple[ListQuery, bool]:
            return lists.dead_letters_query(asked), asked.operates

        known = lists.DEAD_LETTERS_PARAMETERS
        query, operates = await self._parts.asked(request, known, reading, REFUSALS_SCOPE)
        lookups = self._parts.store.lookups
        async with self._parts.querying(DEAD_LETTERS):
            found, topics = await lookups.dead_letters(query), await lookups.topics()
        self._parts.metrics.read(DEAD_LETTERS, len(found))
        answer = lists.dead_letters_answer(query, found, topics, with_reasons=operates)
        return json_reply(200, answer, spaced=True)
