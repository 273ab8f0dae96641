"""The analytics API: `POST /AddEvent` and `POST /AddEventBatch`.

1. the body is read and its sender identified (pool_reader.py)
2. the pool is judged and sealed (checks.py); if it holds no events it is answered, nothing is published (A5)
3. the record, without the token's value (B6), is published, and waited for until registered (delivery/deliver.py)
4. the answer; the receipt in any case
"""

from ingress.analytics.checks import Checks, JudgedBatch
from ingress.analytics.pool_reader import PoolReader
from ingress.analytics.replies import other_events, published_reply, registered_reply
from ingress.delivery.channel import ApiChannel
from ingress.delivery.deliver import Delivered, Delivery
from ingress.dependencies import Dependencies
from schemas.documents import PAYLOAD_DIFFERS
from schemas.errors.table import Refusal
from schemas.wire.malformed import Violation
from serving.http.reply import Reply
from serving.http.request import Request
from serving.refused import Refused


class AddEvents:
    """The endpoint. `single`: AddEvent, which takes one event (A5)."""

    def __init__(self, shared: Dependencies, channel: ApiChannel, *, single: bool) -> None:
        self._shared = shared
        self._api = channel.api
        self._reader = PoolReader(shared, channel)
        self._checks = Checks(shared, channel, single=single)
        self._delivery = Delivery(shared, channel)

    async def __call__(self, request: Request) -> Reply:
        arrival = await self._reader.arrived(request)
        with arrival.lease:
            batch = await self._checks.judged(await self._reader.read(arrival))
            if not batch.good:
                return registered_reply()
            delivered = await self._delivery.deliver(batch.record, None, request)
            self._refuse_other_events(batch, delivered, request)
            return published_reply(batch, delivered.result).having(*delivered.headers)

    def _refuse_other_events(self, batch: JudgedBatch, delivered: Delivered, request: Request) -> None:
        """Raises Refused where other events were registered before under the same request id (A11)."""
        rejection = delivered.result.rejection
        if rejection is None or rejection.cause != PAYLOAD_DIFFERS:
            return
        self._shared.metrics.payload_differs(self._api)
        where = "Idempotency-Key" if b"idempotency-key" in request.headers else "requestId"
        violation = Violation(field=where, description=other_events(rejection.differing))
        refused = Refused(Refusal.PAYLOAD_DIFFERS, (violation,), delivered.headers)
        self._checks.note(batch.sender, batch.record.body, refused)
        raise refused
