"""What the endpoints of both APIs share: made once a process (server.py), or by a test from fakes."""

from dataclasses import dataclass

from ingress.auth.authenticator import Authenticator
from ingress.http.body_budget import BodyBudget
from ingress.http.metrics import Metrics
from ingress.refusals.recorder import RefusalRecorder
from schemas.records.signing import SigningKeys
from schemas.settings import Limits
from serving.clock import Clock
from serving.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Dependencies:
    """`apply_timeout_seconds`: how long a request waits until its record is counted; 0: not at all.

    `tracing`: makes spans; None without OpenTelemetry.
    """

    limits: Limits
    signing: SigningKeys
    clock: Clock
    authenticator: Authenticator
    bodies: BodyBudget
    refusals: RefusalRecorder
    metrics: Metrics
    apply_timeout_seconds: float
    tracing: Tracing | None = None
