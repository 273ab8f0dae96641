"""How this process checks tokens: the issuer's, and where there is a key for them those of our anonymous sessions."""

from ingress.auth.sessions import SessionKey, WithSessions
from ingress.config import TokenSettings
from ingress.http.metrics import Metrics
from serving.clock import Clock
from serving.tokens.bearer import TokenCheck
from serving.tokens.check import issuers_tokens


def token_check(settings: TokenSettings, sessions: SessionKey | None, clock: Clock, metrics: Metrics) -> TokenCheck:
    issuers = issuers_tokens(settings, clock, metrics.tokens)
    return issuers if sessions is None else WithSessions(issuers, sessions)
