"""The settings of the ingress: one section, and the object one ingress process is given."""

from typing import Annotated, Self

from pydantic import Field, IPvAnyNetwork, model_validator

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.settings import DAY_SECONDS, MIB, KafkaSettings, LimitSettings, MongoSettings, Section, SigningSettings
from serving.config import Origin, TokenCheckSettings

ANY_APP = "*"

APPS = rf"{ID_SCHEMA_PATTERN}|^\*$"


class TokenSettings(TokenCheckSettings):
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

    @model_validator(mode="after")
    def _sessions_are_of_use(self) -> Self:
        if self.session_apps and self.session_key is None:
            raise ValueError("session_key is needed with session_apps")
        if useless := [app for app in self.session_apps if not {app, ANY_APP} & set(self.anonymous_apps)]:
            raise ValueError(f"session_apps names {', '.join(useless)}, which anonymous_apps does not")
        return self


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
    max_body_bytes_held: Annotated[int, Field(ge=64 * MIB)] = 256 * MIB
    """Bytes of request bodies that are held at once, as sent and decoded; at least 8 times
    `limits.max_analytics_body_bytes`. Senders whose token is not known yet share less than half of it. Beyond a
    sender's share: 503. What is parsed comes on top: 8 MiB of bodies at once, which may take twenty times as much."""
    apply_timeout_seconds: Annotated[float, Field(ge=0)] = 1
    """How long an acknowledged request waits to be counted, so that the answer holds the totals (G15); with 0 it
    doesn't, MongoDB isn't read for it, and the answer holds no totals."""
    body_timeout_seconds: Annotated[float, Field(gt=0)] = 20
    """How long a client may take to send its body before 408."""
    keep_alive_seconds: Annotated[int, Field(ge=75)] = 75
    """How long an idle connection is kept (B4): shorter than a client's own makes clients resend."""
    max_connections: Annotated[int, Field(ge=1)] | None = None
    """Connections that one ingress process holds; by default as many as the system lets it open files, less a reserve.
    When all places are taken, the connection that has been silent for longest is closed for a new one."""
    max_connections_per_address: Annotated[int, Field(ge=1)] | None = None
    """Connections of one address; off when unset: behind a load balancer everybody is one address."""
    max_clock_skew_seconds: Annotated[float, Field(gt=0)] = 30
    """How far this machine's clock may be from Kafka's and MongoDB's before /readyz answers 503. Periods are judged by
    this clock, and counted in the minute they began in."""
    drain_seconds: Annotated[float, Field(ge=0)] = 1
    """How long a stop still takes requests while /readyz answers 503, so that a load balancer can turn away first."""
    stop_timeout_seconds: Annotated[int, Field(ge=1)] = 15
    """How long a stop waits for requests it has accepted."""

    cors_origins: tuple[Origin, ...] = ()
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

    @model_validator(mode="after")
    def _the_largest_body_fits(self) -> Self:
        """An unknown sender alone may hold a fifth."""
        if self.ingress.max_body_bytes_held < 8 * self.limits.max_analytics_body_bytes:
            raise ValueError("ingress.max_body_bytes_held must be at least 8 times limits.max_analytics_body_bytes")
        return self
