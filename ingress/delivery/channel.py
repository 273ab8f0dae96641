"""How one API reaches Kafka and the workers: a topic, a lineage, a watch and rates of its own.

Each API has one, so that neither starves the other. It also says whether a sender must wait (G17): the sender exceeds
its rate, or its partition lags. Lag is judged by the sender's own partition, so that one stuck partition rejects only
the requests that go to it.
"""

from dataclasses import dataclass

from ingress.delivery.lineage import Lineage
from ingress.delivery.read_your_writes import CheckpointWatch
from ingress.http.rate_limit import AppRates
from ingress.http.replies import RETRY_LAG_SECONDS
from ingress.ports import Publisher
from schemas.settings import Api, Limits
from serving.tokens.identity import Identity


@dataclass(frozen=True, slots=True)
class ApiChannel:
    """Made once an API."""

    api: Api
    publisher: Publisher
    lineage: Lineage
    watch: CheckpointWatch
    rates: AppRates

    def wait_seconds(self, identity: Identity, limits: Limits, now: float) -> float:
        """0 lets the request pass and counts it. Otherwise it isn't counted: the client should wait so long."""
        wait_seconds = self.rates.window(limits).wait_seconds(identity.actor, now)
        return RETRY_LAG_SECONDS if self._is_behind(identity, limits) else wait_seconds

    def foreseen_seconds(self, identity: Identity, limits: Limits, now: float) -> float:
        """The same without counting: asked before costly work is done for the request."""
        wait_seconds = self.rates.window(limits).foreseen_seconds(identity.actor, now)
        return RETRY_LAG_SECONDS if self._is_behind(identity, limits) else wait_seconds

    def _is_behind(self, identity: Identity, limits: Limits) -> bool:
        if (self.watch.lag_seconds() or 0) <= limits.max_lag_seconds:
            return False
        # Finding a key's partition costs some microseconds, so it is done only where some partition lags.
        partition = self.publisher.partition_of(identity.actor.encode())
        return (self.watch.lag_seconds(partition) or 0) > limits.max_lag_seconds
