"""Why tokens are rejected (401): each is counted by its reason, and some are logged, never with the token.

The reply says nothing of it, so that it helps nobody to guess. An operator needs it: the clock, the issuer or the
settings may be wrong, and then all clients get 401.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final, Literal

import structlog
from prometheus_client import CollectorRegistry, Counter

from serving.seldom import Seldom
from serving.tokens.identity import BadToken, Reason

log = structlog.get_logger()

# At most one line of each reason in this time: a flood of made-up tokens must not flood the log.
LOG_SECONDS: Final = 1.0


class RejectedTokens:
    """Of one process."""

    def __init__(
        self,
        process: Literal["ingress", "console"],
        registry: CollectorRegistry,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counter = Counter(
            f"tallymill_{process}_rejected_tokens",
            "Tokens that were rejected with 401, by reason: expired; issuer, audience (another one); signature; claim "
            "(missing or not usable); malformed; inactive (the issuer says so when it is asked).",
            ("reason",),
            registry=registry,
        )
        self._seldom = Seldom(now, LOG_SECONDS)

    def declare(self, reasons: Iterable[Reason]) -> None:
        """Show these before the first one: those that this process can find."""
        for reason in reasons:
            self._counter.labels(reason)

    def note(self, error: BadToken) -> None:
        """Count one, and log it unless one of its reason has just been logged."""
        self._counter.labels(error.reason).inc()
        again = self._seldom.allows(error.reason)
        if again is not None:
            fields = {"repeated": again} if again else {}
            log.info("token_rejected", rejected_as=error.reason, reason=error.detail, **fields)
