"""Settings that the ingress and the console share: how tokens are checked, and what a CORS origin looks like."""

import json
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from schemas.masks import SecretSource
from schemas.settings import Section
from schemas.urls import require_private_url, require_url

URL_SCHEMES = ("http://", "https://")

# As browsers write it: scheme, host, and the port unless it is the default one; in lower case, without a path.
Origin = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9+.-]*://[^/\sA-Z]+)$")]


class TokenCheckSettings(Section):
    """How tokens are checked, and which claims are read."""

    issuer: str | None = None
    """Expected `iss` claim of a token (RFC 7519). Required by ingress and console; `tallymill up` runs a local
    issuer."""
    audience: str | None = None
    """Expected `aud` claim of a token. Required by ingress and console."""
    jwks: SecretSource | None = None
    """The issuer's public keys (JWK set, RFC 7517): a file, an http(s) URL, or the set itself as JSON that begins with
    `{`. Ingress and console require this or `tokens.introspection_url`."""
    jwks_refresh_seconds: Annotated[float, Field(ge=1)] = 300
    """How often the keys are read again. If that fails, the last good set stays in use."""
    jwks_cooldown_seconds: Annotated[float, Field(ge=1)] = 10
    """A token with an unknown key id makes the process read the keys at once, but at most once in this time."""
    introspection_url: SecretSource | None = None
    """The issuer's introspection endpoint (RFC 7662), an https URL. Use it instead of `tokens.jwks` for opaque tokens,
    which only the issuer can check."""
    introspection_client_id: str | None = None
    """Client id for the introspection endpoint (client_secret_basic). Required with `introspection_url`."""
    introspection_client_secret: SecretStr | None = None
    """Client secret for the introspection endpoint. Required with `introspection_url`."""
    introspection_cache_seconds: Annotated[float, Field(ge=0)] = 60
    """How long the reply "active" is cached, at most until the token expires. A revoked token still works for this
    time."""
    introspection_timeout_seconds: Annotated[float, Field(gt=0)] = 5
    """How long a request waits for the issuer's reply before it is answered 503."""
    introspection_connections: Annotated[int, Field(ge=1, le=1_000)] = 32
    """Introspection requests that one process may have open at once."""
    introspection_partial: bool = False
    """Accept replies without `iss`, `aud` or `exp`, which are optional in RFC 7662. Those that are present are still
    checked. Set it only if the issuer answers "active" for tokens of this audience alone."""
    app_claim: Annotated[str, Field(min_length=1)] = "app"
    """Claim with the app."""
    player_claim: Annotated[str, Field(min_length=1)] = "sub"
    """Claim with the player."""
    scope_claim: Annotated[str, Field(min_length=1)] = "scope"
    """Claim with the scopes: a space-separated string, or a list of strings."""
    anonymous_claim: Annotated[str, Field(min_length=1)] = "anonymous"
    """Claim that is `true` in the token of an anonymous session. Its player is `~` followed by the player claim."""
    leeway_seconds: Annotated[float, Field(ge=0, le=300)] = 0
    """Tolerated difference to the issuer's clock when `exp` and `nbf` are checked."""

    @field_validator("jwks")
    @classmethod
    def _is_a_key_set_or_an_address(cls, jwks: SecretSource | None) -> SecretSource | None:
        """Checks the value alone, without reading the file or the URL."""
        text = jwks.get_secret_value() if jwks else ""
        if text.startswith("{"):
            _require_key_set(text)
        elif text.startswith(URL_SCHEMES):
            require_url(text)
        return jwks

    @field_validator("introspection_url")
    @classmethod
    def _is_an_address(cls, url: SecretSource | None) -> SecretSource | None:
        if url is not None:
            require_private_url(url.get_secret_value())
        return url


def _require_key_set(text: str) -> None:
    try:
        keys = json.loads(text).get("keys")
    except (ValueError, RecursionError):
        raise ValueError("begins with { but is not valid JSON") from None
    if not (keys and isinstance(keys, list)):
        raise ValueError("has no list `keys` (RFC 7517)")
