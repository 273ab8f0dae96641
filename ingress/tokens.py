"""How this process checks tokens: the issuer's, and where there is a key for them those of our anonymous sessions."""

from ingress.config import TokenSettings
from ingress.metrics import Metrics
from ingress.sessions import SessionKey, WithSessions
from serving.bearer import TokenCheck
from serving.clock import Clock
from serving.tokens import issuers_tokens


def token_check(settings: TokenSettings, sessions: SessionKey | None, clock: Clock, metrics: Metrics) -> TokenCheck:
    issuers = issuers_tokens(settings, clock, metrics.tokens)
    return issuers if sessions is None else WithSessions(issuers, sessions)
