"""How this process checks tokens: as its settings say."""

from ingress.auth import TokenCheck
from ingress.clock import Clock
from ingress.config import TokenSettings
from ingress.identity import ClaimRules
from ingress.introspection import EndpointSettings, IntrospectedTokens, IntrospectionEndpoint
from ingress.keys import IssuerKeys
from ingress.metrics import Metrics
from ingress.sessions import SessionKey, WithSessions
from ingress.signed import SignedTokens


def token_check(settings: TokenSettings, sessions: SessionKey | None, clock: Clock, metrics: Metrics) -> TokenCheck:
    """The issuer's, and where there is a key for them those of our own anonymous sessions."""
    issuers = _issuers(settings, clock, metrics)
    return issuers if sessions is None else WithSessions(issuers, sessions)


def _issuers(settings: TokenSettings, clock: Clock, metrics: Metrics) -> TokenCheck:
    """By signature, or by introspection; the settings name one of them."""
    if settings.introspection_url is None:
        keys = IssuerKeys(settings.jwks or "", settings.jwks_cooldown_seconds, clock, metrics)
        metrics.watch_keys(keys.age_seconds)
        return SignedTokens(claim_rules(settings), keys, settings.jwks_refresh_seconds)
    secret = settings.introspection_client_secret
    endpoint = EndpointSettings(
        settings.introspection_url,
        settings.introspection_client_id or "",
        secret.get_secret_value() if secret else "",
        settings.introspection_timeout_seconds,
        settings.introspection_connections,
    )
    return IntrospectedTokens(
        claim_rules(settings),
        IntrospectionEndpoint(endpoint, clock, metrics),
        settings.introspection_cache_seconds,
    )


def claim_rules(settings: TokenSettings) -> ClaimRules:
    """What claims must say."""
    return ClaimRules(
        issuer=settings.issuer or "",
        audience=settings.audience or "",
        app_claim=settings.app_claim,
        player_claim=settings.player_claim,
        scope_claim=settings.scope_claim,
        anonymous_claim=settings.anonymous_claim,
        leeway_seconds=settings.leeway_seconds,
        partial=settings.introspection_url is not None and settings.introspection_partial,
    )
