"""From a pool whose sender is known to a judged and sealed batch: the checks that AddEvent and AddEventBatch share.

1. anonymous and not allowed 403; the app's own size 413
2. shape 400, too many events or too much to store 413
3. the record that carries it is made; too fast or workers behind 429

What is refused after the token is recorded (refusals/recorder.py), from the body without its token.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from ingress.analytics.pool_reader import ReadPool, too_large, wrong_field
from ingress.delivery.channel import ApiChannel
from ingress.delivery.deliver import Sealed
from ingress.dependencies import Dependencies
from ingress.http.refused_causes import BAD_ITEM
from ingress.refusals.recorder import MAX_PIECE_BYTES, RefusalNote, Sender, piece_of
from schemas.analytics.body import MAX_REQUEST_ID_CHARACTERS, AnalyticsBatch, MalformedAnalytics, parse_analytics
from schemas.analytics.stored import require_storable, stored_bytes
from schemas.errors.table import Refusal
from schemas.records.envelope import Owner
from schemas.records.pools import PoolJudgement, seal_pool
from schemas.wire.malformed import Violation
from schemas.wire.values import TooLarge
from serving.http.replies import retry_after
from serving.refused import Refused

_is_idempotency_key = re.compile(rf"[!-~]{{1,{MAX_REQUEST_ID_CHARACTERS}}}\Z").match
_PARTIAL: Final = {None: False, "false": False, "true": True}


class JudgedBatch(msgspec.Struct, frozen=True):
    """A batch of which `good` events are to be registered; there may be none.

    What was parsed of the body is gone: it takes many times the memory of the body, and this batch waits for Kafka and
    the workers. `record` holds the body without its token.
    """

    sender: Sender
    record: Sealed
    good: int
    bad: int
    violations: Sequence[Violation]


class Checks:
    """Of one endpoint. `single`: AddEvent, which takes one event (A5)."""

    def __init__(self, shared: Dependencies, channel: ApiChannel, *, single: bool) -> None:
        self._shared = shared
        self._channel = channel
        self._single = single

    async def judged(self, pool: ReadPool) -> JudgedBatch:
        """Raises Refused where nothing is to be registered."""
        try:
            return await self._judged(pool)
        except Refused as error:
            self.note(pool.sender, pool.sent.blanked, error)
            raise

    async def _judged(self, pool: ReadPool) -> JudgedBatch:
        """Raises Refused where nothing is to be registered."""
        self._shared.authenticator.require_known_or_allowed(pool.identity)
        is_partial = pool.arrival.request.target.query.get("partial")
        if is_partial not in _PARTIAL:
            raise wrong_field("partial", "must be true or false")
        if len(pool.sent.blanked) > pool.limits.max_analytics_body_bytes:
            raise Refused(Refusal.BODY_LARGE)
        # Parsed and sealed in one turn: a large body waits for its turn once.
        work = partial(self._parsed_and_sealed, pool, is_partial=_PARTIAL[is_partial])
        batch, record = await self._shared.bodies.run(pool.arrival.lease, work)
        self._check_rate_and_lag(pool)
        self._count(pool.sender, batch)
        return JudgedBatch(pool.sender, record, len(batch.items), len(batch.bad_positions), tuple(batch.bad))

    def _parsed_and_sealed(self, pool: ReadPool, *, is_partial: bool) -> tuple[AnalyticsBatch, Sealed]:
        """The events, and the record that carries them. Runs in a thread if the body is large. Raises Refused."""
        batch, request_id = self._parsed(pool, is_partial=is_partial)
        sent, identity = pool.sent, pool.identity
        owner = Owner(identity.app, identity.player, pool.arrival.request.wall_millis)
        judgement = PoolJudgement(is_partial, request_id)
        key, headers = seal_pool(owner, judgement, sent.content_type, sent.blanked, self._shared.signing)
        return batch, Sealed(key, headers, sent.blanked)

    def _parsed(self, pool: ReadPool, *, is_partial: bool) -> tuple[AnalyticsBatch, str | None]:
        """The events and the request's id. Raises Refused."""
        try:
            batch = parse_analytics(pool.sent, pool.limits.max_items_per_request, single=self._single)
        except MalformedAnalytics as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error
        except TooLarge as error:
            raise too_large(error) from error
        request_id = _request_id(batch.request_id, pool.arrival.request.headers)
        # Where no event is good there is no part to register.
        if batch.bad and not (is_partial and batch.items):
            raise Refused(Refusal.MALFORMED, tuple(batch.bad))
        try:
            require_storable(stored_bytes(batch, pool.identity.app, pool.identity.player, request_id))
        except TooLarge as error:
            raise too_large(error) from error
        return batch, request_id

    def _check_rate_and_lag(self, pool: ReadPool) -> None:
        """Raises Refused."""
        if wait_seconds := self._channel.wait_seconds(
            pool.identity, pool.limits, pool.arrival.request.monotonic_seconds
        ):
            raise Refused(Refusal.ACTOR_RATE_HIGH, headers=(retry_after(wait_seconds),))

    def _count(self, sender: Sender, batch: AnalyticsBatch) -> None:
        """The events, and those that are left out of a batch of which the rest is registered (A10)."""
        metrics = self._shared.metrics
        metrics.items(len(batch.items))
        if batch.media.raw is not None:
            metrics.media_undecodable()
        if batch.bad:
            metrics.refused(self._channel.api, BAD_ITEM, len(batch.bad_positions))
        for violation, entry in zip(batch.bad, batch.bad_entries, strict=True):
            self._shared.refusals.note(sender, RefusalNote(BAD_ITEM, violation.field, piece_of(entry)))

    def note(self, sender: Sender, body: bytes, error: Refused) -> None:
        """Record a refusal of the whole request. The pipeline counts it."""
        field = error.violations[0].field if error.violations else ""
        self._shared.refusals.note(sender, RefusalNote(error.refusal.name, field, body[:MAX_PIECE_BYTES]))


def _request_id(in_body: str | None, headers: Mapping[bytes, bytes]) -> str | None:
    """The body's, or Idempotency-Key (A11), which may be quoted: its draft defines it as a structured header."""
    header = headers.get(b"idempotency-key")
    if header is None:
        return in_body
    key = header.decode("latin-1").strip()
    if key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if not _is_idempotency_key(key):
        raise wrong_field("Idempotency-Key", f"must have 1 to {MAX_REQUEST_ID_CHARACTERS} visible ASCII characters")
    if in_body not in (None, key):
        raise wrong_field("requestId", "is another than Idempotency-Key")
    return key
