"""What both APIs do with a record that is to be counted: publish it, wait until it is counted, report where it lies.

1. publish, with the request's trace, until Kafka acknowledges it: from here on the record will be counted, whatever
   crashes (B7)
2. wait until the checkpoint has passed it (G15), unless the client prefers not to
3. make the answer's headers: Server-Timing, and the receipt where the record's coordinates are known
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import structlog

from ingress.delivery.channel import ApiChannel
from ingress.delivery.waiters import NOTHING_KNOWN, WaitResult
from ingress.dependencies import Dependencies
from ingress.http.replies import server_timing
from ingress.ports import Position, Unavailable
from schemas.coordinates import Coordinates, PartitionId
from schemas.errors.table import Refusal
from schemas.records.receipt import Receipt, issue_receipt
from schemas.records.trace import TRACEPARENT, is_traceparent
from serving.headers import RawHeader
from serving.http.request import Request
from serving.refused import Refused
from serving.tracing import SendSpan

log = structlog.get_logger()

# As ASGI has its name.
TRACEPARENT_HEADER = TRACEPARENT.encode()

# Of a Prefer header; the rest is ignored.
MAX_PREFER_BYTES = 500

# Of a record whose events are counted, now or before. With another fate the answer is SET_ASIDE.
COUNTED_FATES = ("applied", "duplicate")


class Sealed(NamedTuple):
    """A record as it is to be published."""

    key: bytes
    headers: Sequence[tuple[str, bytes]]
    body: bytes


class Delivered(msgspec.Struct, frozen=True):
    """What is known of a published record, and the headers that its answer has."""

    result: WaitResult
    headers: tuple[RawHeader, ...]


class Delivery:
    """Of one API."""

    def __init__(self, shared: Dependencies, channel: ApiChannel) -> None:
        self._shared = shared
        self._channel = channel
        metrics = shared.metrics
        self._published_seconds, self._visible_seconds = metrics.published[channel.api], metrics.visible[channel.api]
        self._truncated: set[PartitionId] = set()
        """Partitions whose log is known to be truncated: logged once each."""

    async def deliver(self, record: Sealed, actor: str | None, request: Request) -> Delivered:
        """Publish and wait, at most as long as the request prefers. `actor`: whose totals are wanted.

        Raises Refused where Kafka has not acknowledged it, or where it can't be counted.
        """
        shared, channel = self._shared, self._channel
        lineage = channel.lineage.current
        before = await channel.watch.before_sending(lineage)
        handed_seconds = shared.clock.monotonic_seconds()
        position = await self._published(*self._traced(record, request))
        acked_seconds = shared.clock.monotonic_seconds()
        # None where they are unknown: then there is no receipt and no waiting. The record is counted all the same.
        coordinates = Coordinates(lineage, position.partition, position.offset) if position and lineage else None
        self._published_seconds(acked_seconds - handed_seconds, coordinates)
        append_millis = position.append_millis if position else None
        if coordinates and before.get(coordinates.partition_id, 0) > coordinates.offset:
            raise self._reused(coordinates)
        timeout_seconds = 0 if _responds_async(request.headers) else shared.apply_timeout_seconds
        result = await self._waited(coordinates, actor, timeout_seconds, append_millis)
        if coordinates and result.reused:
            raise self._reused(coordinates)
        if result.rejection and result.rejection.fate not in COUNTED_FATES:
            shared.metrics.refused(channel.api, Refusal.SET_ASIDE.name)
        ended_seconds = shared.clock.monotonic_seconds()
        if result.passed:
            self._visible_seconds(ended_seconds - acked_seconds, coordinates)
        else:
            shared.metrics.unseen(channel.api)
        start = request.monotonic_seconds
        timing = server_timing(acked_seconds - start, ended_seconds - start if result.passed else None)
        return Delivered(result, (timing, *self._receipt(coordinates, append_millis)))

    def _reused(self, coordinates: Coordinates) -> Refused:
        """Kafka stored the record below the checkpoint: the log was truncated, and no worker reads there by itself.

        OK would promise what only an operator can keep, so the client should retry with the same request id.
        """
        self._shared.metrics.reused_offset(self._channel.api)
        if coordinates.partition_id not in self._truncated:
            self._truncated.add(coordinates.partition_id)
            log.error(
                "log_truncated",
                partition=str(coordinates.partition_id),
                offset=coordinates.offset,
                reason="Kafka used an offset again that was counted before. Run `tallymill lineage`",
            )
        return Refused(Refusal.UNAVAILABLE)

    def _traced(self, record: Sealed, request: Request) -> tuple[Sealed, SendSpan | None]:
        """The record with the request's `traceparent`, if it is valid; and the record's span, if any is made.

        The headers must be a list: aiokafka takes no tuple.
        """
        trace, tracing, span = request.headers.get(TRACEPARENT_HEADER), self._shared.tracing, None
        if trace is not None and not is_traceparent(trace):
            trace = None
        if tracing is not None:
            span = tracing.sending(self._channel.lineage.topic, trace, len(record.body))
            trace = trace or span.traceparent
        if trace is None:
            return record, span
        return record._replace(headers=[*record.headers, (TRACEPARENT, trace)]), span

    async def _published(self, record: Sealed, span: SendSpan | None) -> Position | None:
        try:
            position = await self._channel.publisher.publish(*record)
        except BaseException as error:
            if span is not None:
                span.failed(error)
            if isinstance(error, Unavailable):
                raise Refused(Refusal.UNAVAILABLE) from error
            raise
        if span is not None:
            span.sent(*((position.partition, position.offset) if position else (None, None)))
        return position

    async def _waited(
        self, coordinates: Coordinates | None, actor: str | None, timeout_seconds: float, append_millis: int | None
    ) -> WaitResult:
        if coordinates is None:
            return NOTHING_KNOWN
        watch = self._channel.watch
        watch.acked(coordinates)
        if not self._shared.apply_timeout_seconds:
            return NOTHING_KNOWN
        return await watch.wait(coordinates, actor, timeout_seconds, append_millis)

    def _receipt(self, coordinates: Coordinates | None, append_millis: int | None) -> tuple[RawHeader, ...]:
        if coordinates is None:
            return ()
        made = Receipt(coordinates, self._shared.clock.wall_millis(), append_millis)
        return ((b"tallymill-receipt", issue_receipt(made, self._shared.signing).encode()),)


def _responds_async(headers: Mapping[bytes, bytes]) -> bool:
    """`Prefer: respond-async` (RFC 7240): answer at once, do not wait until the record is counted."""
    header = headers.get(b"prefer")
    if header is None:
        return False
    preferences = header[:MAX_PREFER_BYTES].lower().split(b",")
    return any(preference.partition(b";")[0].strip() == b"respond-async" for preference in preferences)
