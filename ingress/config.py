"""The settings of the ingress: its section, and the configuration of one ingress process."""

from typing import Annotated, Self

from pydantic import Field, IPvAnyNetwork, model_validator

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.settings import DAY_SECONDS, MIB, KafkaSettings, LimitSettings, MongoSettings, Section, SigningSettings
from serving.config import Origin, TokenCheckSettings

ANY_APP = "*"

APPS = rf"{ID_SCHEMA_PATTERN}|^\*$"


class TokenSettings(TokenCheckSettings):
    private_key: str | None = None
    """File of the local issuer's private key (JWK). Only `tallymill token` uses it; a production ingress has none."""

    anonymous_apps: tuple[Annotated[str, Field(pattern=APPS)], ...] = (ANY_APP,)
    """Apps that accept AddEvent and AddEventBatch of anonymous tokens. `*` means all: the issuer decides who gets
    such a token."""
    session_key: str | None = None
    """File of a private key (JWK: P-256, Ed25519 or RSA) that `POST /v1/sessions` signs anonymous tokens with. Every
    ingress accepts these tokens beside the issuer's, so all need the same file. Required with `session_apps`."""
    session_apps: tuple[Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)], ...] = ()
    """Apps for which any client may get an anonymous token from `POST /v1/sessions`; none by default."""
    session_seconds: Annotated[int, Field(ge=60)] = 30 * DAY_SECONDS
    """How long such a token is valid. A phone that was offline for longer gets a new one, and is another actor then."""

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
    """Port to listen on; 0 chooses a free one."""
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = None
    """Address under which clients reach the ingress, such as `https://events.example`. The URL of the default image
    begins with it. Unset, it is the request's Host over http, which is right if no proxy adds TLS."""
    publish_deadline_seconds: Annotated[float, Field(gt=0)] = 5
    """How long a request waits for Kafka's ack. After that it is answered 503: the delivery is not confirmed, and the
    client should retry with the same requestId."""
    max_buffer_bytes: Annotated[int, Field(ge=MIB)] = 64 * MIB
    """Bytes of bodies that may wait for Kafka at once, also those that have timed out. Beyond it requests are answered
    503 at once."""
    max_body_bytes_held: Annotated[int, Field(ge=64 * MIB)] = 256 * MIB
    """Bytes of request bodies in memory at once, as sent and decoded; at least 8 times
    `limits.max_analytics_body_bytes`. Senders whose token is not known yet share less than half of it. A request beyond
    its sender's share is answered 503. Parsed bodies need memory in addition: 8 MiB of bodies of known senders, and
    8 MiB of unknown ones, are parsed at once, and may take twenty times as much."""
    apply_timeout_seconds: Annotated[float, Field(ge=0)] = 1
    """How long an acknowledged request waits until it is counted, so that the answer has the totals (G15). With 0 it
    does not wait or read MongoDB, and the answer has no totals."""
    body_timeout_seconds: Annotated[float, Field(gt=0)] = 20
    """How long a client may take to send its body; after that 408."""
    keep_alive_seconds: Annotated[int, Field(ge=75)] = 75
    """How long an idle connection is kept (B4). A client that keeps it for longer may have to send a request again."""
    max_connections: Annotated[int, Field(ge=1)] | None = None
    """Largest number of connections of one ingress process; by default as many as the system lets it open files, less a
    reserve of 128, and at most 16,384. At the limit, a new connection replaces the one that was silent for longest."""
    max_connections_per_address: Annotated[int, Field(ge=1)] | None = None
    """Largest number of connections of one address. Unset means no limit: behind a load balancer all clients have one
    address."""
    max_clock_skew_seconds: Annotated[float, Field(gt=0)] = 30
    """How far this machine's clock may differ from Kafka's and MongoDB's before /readyz answers 503. Periods are judged
    by this clock, and counted in the minute in which they began."""
    drain_seconds: Annotated[float, Field(ge=0)] = 1
    """How long a stopping ingress accepts requests while /readyz answers 503, until load balancers send no more."""
    stop_timeout_seconds: Annotated[int, Field(ge=1)] = 15
    """How long a stopping ingress waits for the requests that it has accepted."""

    cors_origins: tuple[Origin, ...] = ()
    """Origins whose pages may call this API (CORS): `https://game.example`, as a browser writes it, or `*` for any.
    None by default."""
    max_requests_per_address: Annotated[int, Field(ge=1)] | None = None
    """Requests that one address (IPv6: one /64) may send to one ingress process in `address_window_seconds`; more are
    answered 429, before the token is checked. Off when unset: behind a carrier's NAT thousands of phones have one
    address, and so have all clients behind a load balancer that `trusted_proxies` doesn't name."""
    address_window_seconds: Annotated[int, Field(ge=1)] = 60
    """The moving window of `max_requests_per_address` and of `max_sessions_per_address`."""
    max_sessions_per_address: Annotated[int, Field(ge=1)] = 60
    """Anonymous sessions (`POST /v1/sessions`) that one address may get from one ingress process in
    `address_window_seconds`; more are answered 429."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    """Networks (`10.0.0.0/8`) of load balancers. Their X-Forwarded-For is trusted to find a client's address."""


class IngressConfig(Section):
    """The configuration of one ingress process."""

    kafka: KafkaSettings
    mongodb: MongoSettings
    limits: LimitSettings
    signing: SigningSettings
    tokens: TokenSettings
    ingress: IngressSettings

    @model_validator(mode="after")
    def _the_largest_body_fits(self) -> Self:
        """One unknown sender gets a fifth of max_body_bytes_held, which must be enough for a body."""
        if self.ingress.max_body_bytes_held < 8 * self.limits.max_analytics_body_bytes:
            raise ValueError("ingress.max_body_bytes_held must be at least 8 times limits.max_analytics_body_bytes")
        return self
