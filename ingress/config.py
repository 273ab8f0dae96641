"""The settings of the ingress: one section, and the object one ingress process is given."""

from typing import Annotated

from pydantic import Field

from schemas.settings import MIB, KafkaSettings, LimitSettings, MongoSettings, Section, SigningSettings


class TokenSettings(Section):
    issuer: str | None = None
    """Expected `iss` of a token (RFC 7519). Required by the ingress; `tallymill up` has an issuer of its own."""
    audience: str | None = None
    """Expected `aud` of a token. Required by the ingress."""
    jwks: str | None = None
    """The issuer's public keys (RFC 7517): a file, or an http(s) URL. Required by the ingress."""
    jwks_refresh_seconds: Annotated[float, Field(ge=1)] = 300
    """How often the keys are read again; the last good set survives an outage of its source."""
    private_key: str | None = None
    """File of the local issuer's private key (JWK), for `tallymill token` alone; a production ingress has none."""


class IngressSettings(Section):
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """Port to listen on; 0 takes a free one."""
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


class IngressConfig(Section):
    """All that one ingress process needs."""

    kafka: KafkaSettings
    mongodb: MongoSettings
    limits: LimitSettings
    signing: SigningSettings
    tokens: TokenSettings
    ingress: IngressSettings
