"""What a worker does about failures and a full buffer, and how large its lag is. Pure decisions."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumer.core.analytics.decode import Pool
from consumer.core.dead import Unreadable
from consumer.core.flush import Flush
from schemas.analytics.stored import MAX_STORED_BYTES
from schemas.records.envelope import is_signed
from schemas.records.signing import SigningKeys

# Short, since most failures are a lost race that the next try wins.
FIRST_BACKOFF_SECONDS = 0.05


def backoff_seconds(failures: int, max_seconds: float) -> float:
    """Pause before the next try, after so many failures in a row: doubles, up to `max_seconds`."""
    return min(max_seconds, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16))


class CannotApply(Exception):
    """A single record that can neither be applied nor set aside. Its partition stops; the message says why."""


def instead_of_refused(flush: Flush, reason: str, *, bug: bool = False) -> Sequence[Flush]:
    """What to apply instead of a flush that holds a record which can't be stored: its halves, until it is found.

    The record that is left is set aside as a dead letter. Raises CannotApply where even that can't be stored.
    """
    if len(flush.records) > 1:
        return flush.halves()
    if isinstance(flush.decoded[0], Unreadable):
        raise CannotApply(f"offset {flush.start} can't even be set aside: {reason}")
    return (flush.as_dead(reason, bug=bug),)


def instead_of_too_large(flush: Flush, reason: str) -> Sequence[Flush]:
    """What to apply instead of a flush too large for one transaction: its halves.

    One pool that stores no more than a transaction takes is tried again, as it is, after a pause: others filled the
    server's cache. Raises CannotApply for any other single record.
    """
    if len(flush.records) > 1:
        return flush.halves()
    if isinstance(flush.decoded[0], Pool) and flush.decoded[0].stored_bytes <= MAX_STORED_BYTES:
        return (flush,)
    raise CannotApply(f"offset {flush.start} alone is too large for a transaction: {reason}")


# Fewer suspects than this never stop a partition: garbage of some producer, not a fault of the settings.
DEAD_ALLOWANCE = 100


@dataclass(slots=True)
class DeadRatio:
    """Keeps a worker with wrong settings from setting a whole topic aside: limits the share of suspects in its records.

    A suspect is a dead record that no ingress has signed. A signed one does not count: a client could stop the worker
    with it. It shows a bug in tallymill, and has its own counter.
    """

    max_ratio: float
    suspects: int = 0
    records: int = 0

    def admits(self, suspects: int, records: int) -> bool:
        """Whether a flush of so many records, `suspects` of them suspect, may be applied. Without any it always may."""
        total = self.suspects + suspects
        allowed = max(DEAD_ALLOWANCE, self.max_ratio * (self.records + records))
        return not suspects or total <= allowed

    def applied(self, suspects: int, records: int) -> None:
        self.suspects += suspects
        self.records += records


def suspects_of(flush: Flush, keys: SigningKeys) -> int:
    """Dead records of a flush that no ingress has signed."""
    return sum(not is_signed(dead.record.headers, dead.record.value, keys) for dead in flush.unreadable)


def is_stuck(lag: int, idle_seconds: float, stall_seconds: float, *, is_retrying: bool) -> bool:
    """Whether a partition that is behind has made no progress for too long, while all servers answered."""
    return lag > 0 and idle_seconds > stall_seconds and not is_retrying


# A flush costs the worker and MongoDB some 4 ms, and 65 us more for each batch. Of so many it is a fifth.
SMALL_WEIGHT = 250
# If fewer came during a flush, the machine is not busy: a rest would only let them wait.
BUSY_WEIGHT = 10
# Of the time that the last flush took: a busy machine makes flushes slow, and needs fewer of them.
REST_RATIO = 0.5
MAX_REST_SECONDS = 0.05


def rest_seconds(ready_weight: int, flush_seconds: float) -> float:
    """How long a partition goes on collecting after a flush that took `flush_seconds`, if the next would be small."""
    is_small = BUSY_WEIGHT <= ready_weight < SMALL_WEIGHT
    return min(flush_seconds * REST_RATIO, MAX_REST_SECONDS) if is_small else 0.0


def may_fetch(buffered_bytes: int, max_buffer_bytes: int) -> bool:
    """Whether there is room for another fetch. It may exceed the limit: its size is known only afterwards."""
    return buffered_bytes < max_buffer_bytes


def lag_records(end_offset: int | None, next_offset: int) -> int | None:
    """Records of a partition that are not applied yet. None if its end is unknown, which is not the same as 0.

    An end before the checkpoint is not known either: it was read too early, or the log was cut, and what was written
    since waits below the checkpoint.
    """
    return None if end_offset is None or end_offset < next_offset else end_offset - next_offset


def lag_seconds(lag: int, oldest_waiting_millis: int | None, now_millis: int) -> float:
    """Age of the oldest record not yet applied; 0 when nothing waits."""
    if not lag or oldest_waiting_millis is None:
        return 0.0
    return max(0, now_millis - oldest_waiting_millis) / 1000
