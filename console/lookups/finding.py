"""`GET /v1/players/{player}`, `/v1/requests/{requestId}` and `/v1/receipts/{receipt}`."""

from console.metrics import PLAYER, RECEIPT, REQUEST
from console.queries import finds
from console.queries.finds import Counted, RequestQuery
from console.queries.parameters import Asked
from console.reading import Parts
from serving.http.replies import json_reply
from serving.http.reply import Reply
from serving.http.request import Request


class Player:
    """The totals of one player."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        player = request.target.path_parameters["player"]

        def reading(asked: Asked) -> finds.PlayerQuery:
            return finds.player_query(asked, player, self._parts.settings.max_rows)

        query = await self._parts.asked(request, finds.PLAYER_PARAMETERS, reading)
        async with self._parts.querying(PLAYER):
            found = await self._parts.store.lookups.player(query.app, query.player)
        self._parts.metrics.read(PLAYER, (found.document is not None) + found.has_events)
        return json_reply(200, finds.player_answer(query, found), spaced=True)


class RequestId:
    """Whether a requestId is remembered, when it counted, and where."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        request_id = request.target.path_parameters["requestId"]

        def reading(asked: Asked) -> RequestQuery:
            return finds.request_query(asked, request_id)

        query = await self._parts.asked(request, finds.REQUEST_PARAMETERS, reading)
        async with self._parts.querying(REQUEST):
            counted = await self._counted(query)
        return json_reply(200, finds.request_answer(query, counted), spaced=True)

    async def _counted(self, query: RequestQuery) -> Counted | None:
        lookups = self._parts.store.lookups
        if query.source == "analytics":
            return finds.counted_pool(await lookups.event_records(query.event_ids))
        documents = await lookups.requests(query.key)
        self._parts.metrics.read(REQUEST, len(documents))
        return finds.counted_batch(documents, query.key)


class Receipt:
    """The coordinates in a receipt, and the state of the record there."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        text = request.target.path_parameters["receipt"]

        def reading(asked: Asked) -> finds.ReceiptQuery:
            return finds.receipt_query(asked, text)

        query = await self._parts.asked(request, finds.RECEIPT_PARAMETERS, reading)
        async with self._parts.querying(RECEIPT):
            found = await self._parts.store.lookups.place(query.place)
        return json_reply(200, finds.receipt_answer(query, found, request.wall_millis), spaced=True)
