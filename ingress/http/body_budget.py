"""Bounds the bytes of the bodies of events.record and AddEvent, and the work on large bodies.

1. While a body arrives, its bytes count for its sender (shares.py): for the player if the token is checked already,
   otherwise for the address. Small bodies of unknown senders count apart from large ones. No room: 503.
2. A body of up to MAX_INLINE_BYTES, decoded, is parsed at once: that is faster than handing it to a thread.
3. A larger body waits for its turn (fair_queue.py) and is parsed in a thread, so that the event loop is not blocked.
   Senders take turns, whatever the number of their bodies. Unknown senders have a separate queue. No turn in time: 503.
4. Decoded bytes count until the request is answered. The queues bound how much is decoded and parsed at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from pydantic import IPvAnyNetwork

from ingress.http.address_limit import sender_address
from ingress.http.body import read_wire, unpacked
from ingress.http.fair_queue import FairQueue, NoTurn
from ingress.http.shares import UNKNOWN, UNKNOWN_SMALL, Holder, Shares, holder_of, is_known
from schemas.errors.table import Refusal
from serving.http.request import Request
from serving.http.whole import Body
from serving.refused import Refused
from serving.tokens.identity import Identity

MAX_INLINE_BYTES = 64 * 1024
# Decoded bytes that each queue decodes or parses at once. Parsed, they take up to some twenty times as much memory, and
# two threads of Python are no faster than one.
WORK_BYTES = 8 * 1024 * 1024
# A burst of real clients is worked off sooner. After this time a client should rather retry later.
WAIT_SECONDS = 5.0

_Result = TypeVar("_Result")


class Lease:
    """The bytes that one request holds until it is answered."""

    __slots__ = ("_holder", "_shares", "_size_bytes")

    def __init__(self, shares: Shares, holder: Holder) -> None:
        self._shares = shares
        self._holder = holder
        self._size_bytes = 0

    @property
    def holder(self) -> Holder:
        return self._holder

    @property
    def size_bytes(self) -> int:
        """The size of the body, once it is read: decoded, if it was decoded."""
        return self._size_bytes

    def add(self, size_bytes: int) -> None:
        """Raises Refused if there is no room."""
        if self._holder.group == UNKNOWN_SMALL and self._size_bytes + size_bytes > MAX_INLINE_BYTES:
            self._pass_to(Holder(UNKNOWN, self._holder.one))
        self._add(size_bytes)

    def _add(self, size_bytes: int) -> None:
        if not self._shares.take(self._holder, size_bytes):
            raise Refused(Refusal.BUSY)
        self._size_bytes += size_bytes

    def drop(self, size_bytes: int) -> None:
        self._shares.give_back(self._holder, size_bytes)
        self._size_bytes -= size_bytes

    def replace(self, sent_bytes: int, decoded_bytes: int) -> None:
        """Counts the decoded body in place of the body as it was sent. Raises Refused."""
        self.add(decoded_bytes)
        self.drop(sent_bytes)

    def belongs_to(self, identity: Identity) -> None:
        """Counts the bytes for this player from now on. Raises Refused if the player has no room for them."""
        self._pass_to(holder_of(identity.app, identity.player))

    def _pass_to(self, holder: Holder) -> None:
        size_bytes = self._size_bytes
        self.drop(size_bytes)
        self._holder = holder
        self._add(size_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.drop(self._size_bytes)


class BodyBudget:
    """The budget of one process."""

    def __init__(
        self,
        max_bytes: int,
        timeout_seconds: float,
        trusted_proxies: Sequence[IPvAnyNetwork] = (),
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._shares = Shares(max_bytes)
        self._timeout_seconds = timeout_seconds
        self._trusted = tuple(trusted_proxies)
        self._known = FairQueue(WORK_BYTES, wait_seconds)
        self._unknown = FairQueue(WORK_BYTES, wait_seconds)

    @property
    def held_bytes(self) -> int:
        return self._shares.held_bytes

    @property
    def waiting(self) -> int:
        """The number of requests whose large body waits for its turn."""
        return self._known.waiting + self._unknown.waiting

    def of_player(self, identity: Identity) -> Lease:
        return Lease(self._shares, holder_of(identity.app, identity.player))

    def of_unknown(self, request: Request) -> Lease:
        return Lease(self._shares, Holder(UNKNOWN_SMALL, sender_address(request, self._trusted) or ""))

    async def received(
        self, read: Body, coding: bytes | None, max_bytes: int, lease: Lease
    ) -> tuple[bytes, bytes | None]:
        """The whole body as it was sent; and decoded if it is small, else None. Raises Refused, ClientLeft."""
        wire = await read_wire(read, max_bytes, self._timeout_seconds, lease.add)
        return wire, self._small(wire, coding, max_bytes, lease)

    def _small(self, wire: bytes, coding: bytes | None, max_bytes: int, lease: Lease) -> bytes | None:
        if len(wire) > MAX_INLINE_BYTES:
            return None
        if coding is None:
            return wire
        try:
            body = unpacked(wire, coding, min(max_bytes, MAX_INLINE_BYTES))
        except Refused as error:
            if error.refusal is Refusal.BODY_LARGE and max_bytes > MAX_INLINE_BYTES:
                return None
            raise
        lease.replace(len(wire), len(body))
        return body

    async def large(self, wire: bytes, coding: bytes | None, max_bytes: int, lease: Lease) -> bytes:
        """A large body, decoded. Raises Refused."""
        if coding is None:
            return wire
        body = await self.run_in_thread(lease, max_bytes, lambda: unpacked(wire, coding, max_bytes))
        lease.replace(len(wire), len(body))
        return body

    async def run(self, lease: Lease, work: Callable[[], _Result]) -> _Result:
        """Calls `work`, in a thread and in turn if the body is large. Raises Refused, and whatever `work` raises."""
        size_bytes = lease.size_bytes
        return work() if size_bytes <= MAX_INLINE_BYTES else await self.run_in_thread(lease, size_bytes, work)

    async def run_in_thread(self, lease: Lease, size_bytes: int, work: Callable[[], _Result]) -> _Result:
        """Calls `work` in a thread, when it is the sender's turn. Raises Refused, and whatever `work` raises."""
        queue, key = (self._known, lease.holder) if is_known(lease.holder) else (self._unknown, lease.holder.one)
        try:
            async with queue.turn(key, size_bytes):
                return await asyncio.to_thread(work)
        except NoTurn:
            raise Refused(Refusal.BUSY) from None
