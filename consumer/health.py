"""What a worker says of itself: whether it is alive, whether it is ready, and what is missing if not.

Alive means that a restart would not help. A worker that waits for an unavailable server is alive: it has replaced its
client already, and a restart does no more than that. A worker that makes no progress although the servers answer is
not alive.

Ready: it has its share of the partitions and reads them. What is unknown, or stops, is not ready.
"""

import time
from collections.abc import Iterator

from consumer.core.policy import is_stuck, lag_records
from consumer.flusher import Flusher
from consumer.holdings import Holdings
from consumer.parts import Parts
from consumer.retry import Retry
from serving.http.probes import Missing

# Longer than an election or a fail-over among living servers takes, so that neither makes a worker unready.
READY_SECONDS = 10


class Health:
    """Of one worker."""

    def __init__(self, parts: Parts, holdings: Holdings, retry: Retry) -> None:
        self._parts = parts
        self._source = parts.source
        self._holdings = holdings
        self._retry = retry
        self._turned_at: float | None = None
        self._member_at = time.monotonic()

    def turned(self) -> None:
        """Called once in each turn of the worker's loop."""
        self._turned_at = time.monotonic()
        if self._source.is_member:
            self._member_at = self._turned_at

    def lag(self, partition: int, flusher: Flusher) -> int | None:
        """Records that are not applied yet; None if the end of the log, or the checkpoint, is unknown.

        Never 0 for a stopped partition: it may have stopped where the log was truncated.
        """
        if flusher.checkpoint is None:
            return None
        lag = lag_records(self._source.end_offset(partition), flusher.checkpoint.next_offset)
        return None if flusher.stopped and not lag else lag

    # Ready.

    def missing(self) -> list[Missing]:
        """What keeps the worker from being ready, each thing once."""
        if self._retry.stop.is_set():
            return [Missing("stopping", f"{self._parts.api}: the worker stops, and gives its partitions up")]
        found: dict[str, Missing] = {}
        for one in (*self._servers(), *self._share()):
            found.setdefault(one.what, one)
        if found:  # a server that is lost is the cause. Alone it makes no worker unready: it may be back soon
            found |= {one.what: one for one in self._lost()}
        return list(found.values())

    def _lost(self) -> Iterator[Missing]:
        for server, outage in self._parts.outages.items():
            if outage.lasts:
                yield Missing(server, f"{server}: {outage.reason}")

    def _servers(self) -> Iterator[Missing]:
        api = self._parts.api
        if (seconds := self._source.unreachable_seconds()) > READY_SECONDS:
            yield Missing("kafka", f"no broker of Kafka has answered for {seconds:.0f} s")
        unread = [p for p in self._holdings.flushers if self._source.unread_seconds(p) > READY_SECONDS]
        if unread:
            yield Missing("kafka", f"{api}: no broker gives records of the partitions {sorted(unread)}")
        waiting = [one.retrying_seconds() for one in self._holdings.flushers.values()]
        waiting.append(self._retry.retrying_seconds())
        # A call to a frozen MongoDB fails after half a minute or more. Its client notices it within seconds.
        waiting.append({"mongodb": self._retry.outages["mongodb"].lost_seconds})
        for server in sorted({server for servers in waiting for server in servers}):
            seconds = max(servers.get(server, 0) for servers in waiting)
            if seconds > READY_SECONDS:
                yield Missing(server, f"{api}: the worker has waited for {server} for {seconds:.0f} s")

    def _share(self) -> Iterator[Missing]:
        api = self._parts.api
        if not self._holdings.has_share:
            yield Missing("share", f"{api}: the group has not given this worker a share of the partitions yet")
        elif (seconds := time.monotonic() - self._member_at) > READY_SECONDS:
            yield Missing("group", f"{api}: the worker has not been a member of its group for {seconds:.0f} s")
        if unsettled := self._holdings.unsettled:
            yield Missing("partitions", f"{api}: not read yet: {sorted(unsettled)}")

    # Alive.

    def is_alive(self) -> bool:
        """Whether every partition that is behind makes progress. One that waits for a server does not count."""
        waited = 0.0 if self._turned_at is None else time.monotonic() - self._turned_at
        if waited > self._parts.settings.stall_seconds and not self._retry.is_retrying:
            return False  # the loop waits for something that never comes
        asked = self._holdings.lineage_asked_millis
        if asked and self._is_idle(1, asked, is_retrying=self._retry.is_retrying):
            return False
        return not any(self._is_stuck(partition, one) for partition, one in self._holdings.flushers.items())

    def _is_stuck(self, partition: int, flusher: Flusher) -> bool:
        if flusher.stopped:
            return False
        if neglected := self._source.neglected_seconds(partition):
            return neglected > self._parts.settings.stall_seconds
        lag = self._lag_at_least(partition, flusher)
        return lag is not None and self._is_idle(lag, flusher.progress_millis, is_retrying=flusher.is_retrying)

    def _lag_at_least(self, partition: int, flusher: Flusher) -> int | None:
        """At least 1 until its position is taken, and while records wait, even if the log's end is unknown."""
        if not flusher.settled.is_set() or flusher.oldest_waiting_millis is not None:
            return 1
        return self.lag(partition, flusher)

    def _is_idle(self, lag: int, since_millis: int, *, is_retrying: bool) -> bool:
        idle = (self._parts.clock.wall_millis() - since_millis) / 1000
        return is_stuck(lag, idle, self._parts.settings.stall_seconds, is_retrying=is_retrying)
