"""Makes the token check that the settings of a process ask for."""

from pydantic import SecretStr

from serving.clock import Clock
from serving.config import TokenCheckSettings
from serving.tokens.bearer import TokenCheck
from serving.tokens.identity import ClaimRules
from serving.tokens.introspection import EndpointSettings, IntrospectedTokens, IntrospectionEndpoint
from serving.tokens.keys import IssuerKeys
from serving.tokens.metrics import TokenMetrics
from serving.tokens.signed import SignedTokens


def issuers_tokens(settings: TokenCheckSettings, clock: Clock, metrics: TokenMetrics) -> TokenCheck:
    """By signature, or by introspection; the settings name one of them."""
    if settings.introspection_url is None:
        keys = IssuerKeys(
            settings.jwks.get_secret_value() if settings.jwks else "", settings.jwks_cooldown_seconds, clock, metrics
        )
        metrics.watch_keys(keys.age_seconds)
        metrics.dependencies.watch("keys", lambda: keys.is_up)
        metrics.declare(by_keys=True)
        return SignedTokens(claim_rules(settings), keys, settings.jwks_refresh_seconds)
    secret = settings.introspection_client_secret
    endpoint = EndpointSettings(
        settings.introspection_url.get_secret_value(),
        settings.introspection_client_id or "",
        secret or SecretStr(""),
        settings.introspection_timeout_seconds,
        settings.introspection_connections,
    )
    asked = IntrospectionEndpoint(endpoint, clock, metrics)
    metrics.dependencies.watch("introspection", lambda: asked.is_up)
    metrics.declare(by_keys=False)
    return IntrospectedTokens(
        claim_rules(settings),
        asked,
        settings.introspection_cache_seconds,
    )


def claim_rules(settings: TokenCheckSettings) -> ClaimRules:
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
