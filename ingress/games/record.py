"""events.record: `POST /games/v1/events`.

1. the request is checked and judged (checks.py); if nothing is left to count it is answered, nothing is published (G9)
2. the record is published, and waited for until it is counted (delivery/deliver.py; B7, G15)
3. the answer: totals, or ALREADY_UPDATED; the receipt in any case
"""

from ingress.delivery.channel import ApiChannel
from ingress.delivery.deliver import Delivery, Sealed
from ingress.dependencies import Dependencies
from ingress.games.checks import Arrival, Checks, JudgedBatch, WholeFailure
from ingress.games.definitions import Definitions
from ingress.games.language import NumberWriter, languages_asked, number_writer
from ingress.games.replies import failure_reply, judged_reply, published_reply
from schemas.documents import PAYLOAD_DIFFERS
from schemas.records.envelope import Envelope, seal
from serving.http.reply import Reply
from serving.http.request import Request


class RecordEvents:
    """The endpoint."""

    def __init__(self, shared: Dependencies, channel: ApiChannel, definitions: Definitions) -> None:
        self._shared = shared
        self._api = channel.api
        self._definitions = definitions
        self._checks = Checks(shared, channel, definitions)
        self._delivery = Delivery(shared, channel)

    async def __call__(self, request: Request) -> Reply:
        arrival = await self._checks.arrived(request)
        with arrival.lease:
            batch = await self._checks.judged(arrival)
            if isinstance(batch, WholeFailure):
                return failure_reply(batch)
            if not batch.counted:
                return judged_reply(batch.sent, batch.judgement)
            # Before publishing: the app's definitions are in the cache now, and may be evicted while Kafka is awaited.
            return await self._published(batch, self._number_writer(arrival))

    def _number_writer(self, arrival: Arrival) -> NumberWriter:
        """How the totals are to be written (G19)."""
        request = arrival.request
        languages = languages_asked(request.target.query.get("language"), request.headers.get(b"accept-language"))
        return number_writer(self._definitions.known(arrival.identity.app), languages)

    async def _published(self, batch: JudgedBatch, written: NumberWriter) -> Reply:
        arrival = batch.arrival
        identity = arrival.identity
        envelope = Envelope(identity.app, identity.player, arrival.request.wall_millis, batch.judgement)
        key, headers = seal(envelope, batch.sent.request_id, batch.body, self._shared.signing)
        record = Sealed(key, headers, batch.body)
        delivered = await self._delivery.deliver(record, identity.actor, arrival.request)
        rejection = delivered.result.rejection
        if rejection and rejection.cause == PAYLOAD_DIFFERS:
            self._shared.metrics.payload_differs(self._api)
        return published_reply(batch, delivered.result, written).having(*delivered.headers)
