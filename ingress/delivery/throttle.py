"""Whether a sender is to wait (G17): it sends too often, or what it sends would lie behind too much that isn't counted.

The workers' lag is that of the partition which the sender's records go to: one that stands still refuses for itself
alone, and nobody else is kept waiting for it.
"""

from dataclasses import dataclass

from ingress.delivery.read_your_writes import CheckpointWatch
from ingress.http.rate_limit import AppRates
from ingress.http.replies import RETRY_LAG_SECONDS
from ingress.ports import Publisher
from schemas.settings import Limits
from serving.tokens.identity import Identity


@dataclass(frozen=True, slots=True)
class Throttle:
    """Of one API. `rates` are counted up."""

    rates: AppRates
    publisher: Publisher
    applied: CheckpointWatch

    def wait_seconds(self, identity: Identity, limits: Limits, now: float) -> float:
        """0: the request passes, and is counted. Otherwise when to try again; it isn't counted."""
        wait_seconds = self.rates.wait_seconds(identity.app, identity.actor, now)
        return RETRY_LAG_SECONDS if self._is_behind(identity, limits) else wait_seconds

    def foreseen_seconds(self, identity: Identity, limits: Limits, now: float) -> float:
        """The same before anything costly is done for the request: nothing is counted."""
        wait_seconds = self.rates.foreseen_seconds(identity.app, identity.actor, now)
        return RETRY_LAG_SECONDS if self._is_behind(identity, limits) else wait_seconds

    def _is_behind(self, identity: Identity, limits: Limits) -> bool:
        if (self.applied.lag_seconds() or 0) <= limits.max_lag_seconds:
            return False
        # A key's partition costs some microseconds, so it is asked for only where one of them is behind.
        partition = self.publisher.partition_of(identity.actor.encode())
        return (self.applied.lag_seconds(partition) or 0) > limits.max_lag_seconds
