"""What both APIs do with a record that is to count: publish it, wait until it is counted, say where it lies.

1. published, acked by Kafka: from here on the record will be counted, whatever crashes (B7)
2. waits until the checkpoint has passed it (G15), or for as long as its client wants to
3. the headers of the answer: Server-Timing, and the receipt where it is known where the record lies
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import structlog

from ingress.delivery.lineage import Lineage
from ingress.delivery.read_your_writes import AppliedWatch
from ingress.delivery.waiters import NOTHING_KNOWN, Seen
from ingress.http.metrics import Metrics
from ingress.http.replies import RawHeader, Refusal, Refused, server_timing
from ingress.ports import Position, Publisher, Unavailable
from schemas.coordinates import Coordinates, PartitionId
from schemas.records.receipt import Receipt, issue_receipt
from schemas.records.signing import SigningKeys
from serving.clock import Clock

log = structlog.get_logger()

# Of a Prefer header; what lies beyond is not read.
MAX_PREFER_BYTES = 500


class DeliveryParts(Protocol):
    """All that it needs; each API has a topic, a lineage and a watch of its own."""

    @property
    def signing(self) -> SigningKeys: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def publisher(self) -> Publisher: ...
    @property
    def lineage(self) -> Lineage: ...
    @property
    def applied(self) -> AppliedWatch: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def apply_timeout_seconds(self) -> float: ...


class Sealed(NamedTuple):
    """A record as it is to be published."""

    key: bytes
    headers: Sequence[tuple[str, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """What is known of a published record, and the headers that its answer has."""

    seen: Seen
    headers: tuple[RawHeader, ...]


class Delivery:
    """Of one API."""

    def __init__(self, parts: DeliveryParts) -> None:
        self._parts = parts
        self._cut: set[PartitionId] = set()
        """Told once."""

    async def of(
        self, record: Sealed, actor: str | None, received_seconds: float, headers: Mapping[bytes, bytes]
    ) -> Delivered:
        """Publish and wait, at most as long as the request's `headers` prefer. `actor`: whose totals are wanted.

        Raises Refused where Kafka has not acknowledged it, or where it can't be counted.
        """
        parts = self._parts
        before = parts.applied.checkpoints
        position = await self._published(record)
        acked_seconds = parts.clock.monotonic_seconds()
        coordinates = self._coordinates(position)
        append_millis = position.append_millis if position else None
        if coordinates and before.get(coordinates.partition_id, 0) > coordinates.offset:
            raise self._reused(coordinates)
        timeout_seconds = 0 if _responds_async(headers) else parts.apply_timeout_seconds
        seen = await self._seen(coordinates, actor, timeout_seconds, append_millis)
        if coordinates and seen.reused:
            raise self._reused(coordinates)
        seen_seconds = parts.clock.monotonic_seconds()
        if seen.passed:
            parts.metrics.visible(seen_seconds - acked_seconds)
        else:
            parts.metrics.unseen()
        timing = server_timing(
            acked_seconds - received_seconds, seen_seconds - received_seconds if seen.passed else None
        )
        return Delivered(seen, (timing, *self._receipt(coordinates, append_millis)))

    def _reused(self, coordinates: Coordinates) -> Refused:
        """Kafka has the record, below what is counted: the log was cut, and no worker reads there on by itself.

        OK would promise what only an operator can keep, so the client is to send it again, with the same request id.
        """
        self._parts.metrics.reused_offset()
        if coordinates.partition_id not in self._cut:
            self._cut.add(coordinates.partition_id)
            log.error(
                "log_cut",
                partition=str(coordinates.partition_id),
                offset=coordinates.offset,
                reason="Kafka gave out an offset that was counted before: look at `tallymill lineage`",
            )
        return Refused(Refusal.UNAVAILABLE)

    async def _published(self, record: Sealed) -> Position | None:
        parts = self._parts
        started = parts.clock.monotonic_seconds()
        try:
            position = await parts.publisher.publish(*record)
        except Unavailable as error:
            raise Refused(Refusal.UNAVAILABLE) from error
        parts.metrics.published(parts.clock.monotonic_seconds() - started)
        return position

    def _coordinates(self, position: Position | None) -> Coordinates | None:
        """None while it isn't known where the record lies: no receipt, no waiting; it is counted all the same."""
        lineage = self._parts.lineage.current
        if position is None or lineage is None:
            return None
        return Coordinates(lineage, position.partition, position.offset)

    async def _seen(
        self, coordinates: Coordinates | None, actor: str | None, timeout_seconds: float, append_millis: int | None
    ) -> Seen:
        parts = self._parts
        if coordinates is None:
            return NOTHING_KNOWN
        parts.applied.acked(coordinates)
        if not parts.apply_timeout_seconds:
            return NOTHING_KNOWN
        return await parts.applied.wait(coordinates, actor, timeout_seconds, append_millis)

    def _receipt(self, coordinates: Coordinates | None, append_millis: int | None) -> tuple[RawHeader, ...]:
        if coordinates is None:
            return ()
        made = Receipt(coordinates, self._parts.clock.wall_millis(), append_millis)
        receipt = issue_receipt(made, self._parts.signing)
        return ((b"tallymill-receipt", receipt.encode()),)


def _responds_async(headers: Mapping[bytes, bytes]) -> bool:
    """`Prefer: respond-async` (RFC 7240): answered at once, not when counted."""
    preferences = headers.get(b"prefer", b"")[:MAX_PREFER_BYTES].lower().split(b",")
    return any(preference.partition(b";")[0].strip() == b"respond-async" for preference in preferences)
