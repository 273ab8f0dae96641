"""What all flushers of a worker share."""

from dataclasses import dataclass, field

from consumer.config import WorkerSettings
from consumer.core.decode import DECODES, Decode
from consumer.core.planners import PLANNERS, Planner
from consumer.core.policy import DeadRatio
from consumer.metrics import WorkerMetrics
from consumer.ports import RecordSource, Store
from consumer.retry import Outages, new_outages
from consumer.tracing import FlushSpans, no_spans
from schemas.records.signing import SigningKeys
from schemas.settings import Api, Limits
from serving.clock import Clock


@dataclass(frozen=True, slots=True)
class RecordRules:
    """How the records of a topic are read, judged and counted."""

    api: Api
    limits: Limits
    keys: SigningKeys
    dead_ratio: DeadRatio

    @property
    def decode(self) -> Decode:
        return DECODES[self.api]

    @property
    def planner(self) -> Planner:
        return PLANNERS[self.api]


@dataclass(frozen=True, slots=True)
class Parts:
    """A worker's source, store and settings, and what it reports to. One worker reads one topic."""

    source: RecordSource
    store: Store
    clock: Clock
    metrics: WorkerMetrics
    settings: WorkerSettings
    rules: RecordRules
    owner: str
    outages: Outages = field(default_factory=new_outages)
    spans: FlushSpans = no_spans

    @property
    def api(self) -> Api:
        return self.rules.api
