"""The settings of the ingress: one section, and the object one ingress process is given."""

import json
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator, model_validator

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.settings import DAY_SECONDS, MIB, KafkaSettings, LimitSettings, MongoSettings, Section, SigningSettings

URL_SCHEMES = ("http://", "https://")

ANY_APP = "*"

APPS = rf"{ID_SCHEMA_PATTERN}|^\*$"

# Scheme, host, and a port where it isn't the scheme's own: as browsers write it, lower-case and without a path.
ORIGIN = r"^(\*|[a-z][a-z0-9+.-]*://[^/\sA-Z]+)$"


class TokenSettings(Section):
    issuer: str | None = None
    """Expected `iss` of a token (RFC 7519). Required by the ingress; `tallymill up` has an issuer of its own."""
    audience: str | None = None
    """Expected `aud` of a token. Required by the ingress."""
    jwks: str | None = None
    """The issuer's public keys (RFC 7517): a file, an http(s) URL, or the key set itself (JSON text that begins with
    `{`). The ingress requires this or `tokens.introspection_url`."""
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
    private_key: str | None = None
    """File of the local issuer's private key (JWK), for `tallymill token` alone; a production ingress has none."""

    anonymous_apps: tuple[Annotated[str, Field(pattern=APPS)], ...] = (ANY_APP,)
    """Apps that take AddEvent and AddEventBatch of anonymous tokens; `*`: any, for the issuer decides who has
    one."""
    session_key: str | None = None
    """File of a private key (JWK: P-256, Ed25519 or RSA) that `POST /v1/sessions` signs anonymous tokens with. Every
    ingress accepts such a token beside the issuer's, so all are given the same file. Required with `session_apps`."""
    session_apps: tuple[Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)], ...] = ()
    """Apps for which anybody may have an anonymous token from `POST /v1/sessions`; none by default."""
    session_seconds: Annotated[int, Field(ge=60)] = 30 * DAY_SECONDS
    """How long such a token is good. A phone that was offline for longer needs a new one, and is another actor then."""

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

    @model_validator(mode="after")
    def _sessions_are_of_use(self) -> Self:
        if self.session_apps and self.session_key is None:
            raise ValueError("session_key is needed with session_apps")
        if useless := [app for app in self.session_apps if not {app, ANY_APP} & set(self.anonymous_apps)]:
            raise ValueError(f"session_apps names {', '.join(useless)}, which anonymous_apps does not")
        return self


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


class IngressSettings(Section):
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """Port to listen on; 0 takes a free one."""
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = None
    """Address that clients reach the ingress under, such as `https://events.example`: what the URL of the default
    image begins with. Unset, it is the Host of the request, over http: right where no proxy adds TLS."""
    publish_deadline_seconds: Annotated[float, Field(gt=0)] = 5
    """How long a request waits for Kafka's ack before it is answered 503: unknown, retry with the same requestId."""
    max_buffer_bytes: Annotated[int, Field(ge=MIB)] = 64 * MIB
    """Bytes of bodies that may wait for Kafka at once, timed-out ones included; beyond it 503 at once."""
    apply_timeout_seconds: Annotated[float, Field(ge=0)] = 1
    """How long an acknowledged request waits to be counted, so that the answer holds the totals (G15); with 0 it
    doesn't, MongoDB isn't read for it, and the answer holds no totals."""
    body_timeout_seconds: Annotated[float, Field(gt=0)] = 20
    """How long a client may take to send its body before 408."""
    keep_alive_seconds: Annotated[int, Field(ge=75)] = 75
    """How long an idle connection is kept (B4): shorter than a client's own makes clients resend."""
    drain_seconds: Annotated[float, Field(ge=0)] = 1
    """How long a stop still takes requests while /readyz answers 503, so that a load balancer can turn away first."""
    stop_timeout_seconds: Annotated[int, Field(ge=1)] = 15
    """How long a stop waits for requests it has accepted."""

    cors_origins: tuple[Annotated[str, Field(pattern=ORIGIN)], ...] = ()
    """Origins (`https://game.example`, as a browser writes them, or `*` for any) whose pages may call this API (CORS);
    none by default."""
    max_requests_per_address: Annotated[int, Field(ge=1)] | None = None
    """Requests that one address (IPv6: one /64) may send to one ingress process in `address_window_seconds`; more is
    429, before the token is looked at. Off when unset: behind a carrier's NAT thousands of phones are one address, and
    behind a load balancer that `trusted_proxies` doesn't name, everybody is."""
    address_window_seconds: Annotated[int, Field(ge=1)] = 60
    """The moving window of `max_requests_per_address` and of `max_sessions_per_address`."""
    max_sessions_per_address: Annotated[int, Field(ge=1)] = 60
    """Anonymous sessions (`POST /v1/sessions`) that one address may ask of one ingress process in
    `address_window_seconds`; more is 429."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    """Networks (`10.0.0.0/8`) of load balancers whose X-Forwarded-For is believed when an address is limited."""


class IngressConfig(Section):
    """All that one ingress process needs."""

    kafka: KafkaSettings
    mongodb: MongoSettings
    limits: LimitSettings
    signing: SigningSettings
    tokens: TokenSettings
    ingress: IngressSettings
