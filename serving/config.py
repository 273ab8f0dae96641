"""Settings that the ingress and the console share: who vouches for tokens, whose pages may read."""

import json
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from schemas.settings import Section

URL_SCHEMES = ("http://", "https://")

# Scheme, host, and a port where it isn't the scheme's own: as browsers write it, lower-case and without a path.
Origin = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9+.-]*://[^/\sA-Z]+)$")]


class TokenCheckSettings(Section):
    """How tokens are checked, and what their claims are called."""

    issuer: str | None = None
    """Expected `iss` of a token (RFC 7519). Required by ingress and console; `tallymill up` has an issuer of its
    own."""
    audience: str | None = None
    """Expected `aud` of a token. Required by ingress and console."""
    jwks: str | None = None
    """The issuer's public keys (RFC 7517): a file, an http(s) URL, or the key set itself (JSON text that begins with
    `{`). Ingress and console require this or `tokens.introspection_url`."""
    jwks_refresh_seconds: Annotated[float, Field(ge=1)] = 300
    """How often the keys are read again; the last good set survives an outage of its source."""
    jwks_cooldown_seconds: Annotated[float, Field(ge=1)] = 10
    """A token that names an unknown key makes the keys be read at once, but not twice within this time."""
    introspection_url: str | None = None
    """The issuer's introspection endpoint (RFC 7662), an http(s) URL, instead of `tokens.jwks`: for tokens that only
    their issuer can read."""
    introspection_client_id: str | None = None
    """Our name at the introspection endpoint (client_secret_basic). Required with it."""
    introspection_client_secret: SecretStr | None = None
    """Our secret at the introspection endpoint. Required with it."""
    introspection_cache_seconds: Annotated[float, Field(ge=0)] = 60
    """How long the answer "active" is believed, the token's end permitting: how long a withdrawn token still works."""
    introspection_timeout_seconds: Annotated[float, Field(gt=0)] = 5
    """How long a request waits for the issuer's answer before it is answered 503."""
    introspection_connections: Annotated[int, Field(ge=1, le=1_000)] = 32
    """Most questions to the issuer that are under way at a time."""
    introspection_partial: bool = False
    """Whether the answer may lack `iss`, `aud` or `exp`, which RFC 7662 leaves optional. What it has is checked all
    the same. Only for an issuer that answers "active" for nobody's tokens but this audience's."""
    app_claim: Annotated[str, Field(min_length=1)] = "app"
    """The claim that names the app."""
    player_claim: Annotated[str, Field(min_length=1)] = "sub"
    """The claim that names the player."""
    scope_claim: Annotated[str, Field(min_length=1)] = "scope"
    """The claim with the scopes: a space-separated string, or a list of strings."""
    anonymous_claim: Annotated[str, Field(min_length=1)] = "anonymous"
    """The claim that is `true` in the token of an anonymous session; its actor is `~` + the player claim."""
    leeway_seconds: Annotated[float, Field(ge=0, le=300)] = 0
    """How far the issuer's clock may be off when `exp` and `nbf` are checked."""

    @field_validator("jwks")
    @classmethod
    def _is_a_key_set_or_an_address(cls, jwks: str | None) -> str | None:
        """What can be told without reading a file or asking anybody."""
        if jwks and jwks.startswith("{"):
            _refuse_no_key_set(jwks)
        elif jwks and jwks.startswith(URL_SCHEMES):
            _refuse_no_url(jwks)
        return jwks

    @field_validator("introspection_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None:
            _refuse_no_url(url)
            if "@" in urlsplit(url).netloc:
                raise ValueError("names a user; introspection_client_id and _secret are for that")
        return url


def _refuse_no_key_set(text: str) -> None:
    try:
        keys = json.loads(text).get("keys")
    except (ValueError, RecursionError):
        raise ValueError("begins with { but is no JSON") from None
    if not (keys and isinstance(keys, list)):
        raise ValueError("holds no list `keys` (RFC 7517)")


def _refuse_no_url(text: str) -> None:
    try:
        url = urlsplit(text)
        whole = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:  # a port that is no port, an IPv6 address that is none
        whole = False
    if not whole:
        raise ValueError("no http(s) URL")
