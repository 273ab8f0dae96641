"""The settings of a console process."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from schemas.settings import DAY_SECONDS, MIB, MIN_KEY_BYTES, KafkaSettings, MongoSettings, Section
from schemas.urls import is_loopback, require_private_url
from serving.config import Origin, TokenCheckSettings


class ConsoleSettings(Section):
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8090
    """Port to listen on; 0 chooses a free one."""
    query_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5
    """Time limit of one query in MongoDB (maxTimeMS), after which the request is answered 504; also how long a request
    waits for its turn. A page of counts that has taken this long ends early, with a nextPageToken."""
    max_concurrent_queries: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Requests that may query MongoDB at once, so that readers don't slow the workers down. Others wait for their turn,
    then get 503."""
    max_range_days: Annotated[int, Field(ge=1, le=10_000)] = 400
    """Longest time from `from` to `to`."""
    max_rows: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """Largest number of rows on a page; a larger `limit` is reduced to it."""
    max_scanned_documents: Annotated[int, Field(ge=1_000)] = 200_000
    """Documents of period_counts that one page reads before it ends early, with a nextPageToken."""
    max_page_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 4 * MIB
    """Bytes of events, as stored in MongoDB, after which a page ends early. A single larger event still fits."""
    read_preference: Literal["primary", "secondaryPreferred"] = "primary"
    """Which members of the replica set to read from. Secondaries relieve the primary, and may be seconds behind."""
    cors_origins: tuple[Origin, ...] = ()
    """Origins whose pages may read (CORS), as a browser writes them (`https://dashboard.example`); `*` allows any.
    None by default."""
    public_url: str | None = None
    """The address of the page as browsers see it, without a path: `https://counts.example`. Required with oidc.issuer,
    and for sessions of a console that does not listen on a loopback address."""
    session_keys: (
        Annotated[tuple[Annotated[SecretStr, Field(min_length=MIN_KEY_BYTES)], ...], Field(min_length=1)] | None
    ) = None
    """Secrets that all consoles share, each of 16 characters or more, for the cookies of signed-in people. The first
    one encrypts; all of them decrypt, so that keys can be changed without a stop. Without it only bearer tokens are
    accepted. Required with oidc.issuer; `tallymill up` makes one."""
    session_seconds: Annotated[int, Field(ge=60, le=7 * DAY_SECONDS)] = 8 * 3_600
    """How long a person stays signed in. Rights that the issuer takes away end with the session."""
    max_connections: Annotated[int, Field(ge=1)] = 1_000
    """Connections of one console process. When all are in use, the longest idle one is closed for a new one."""
    drain_seconds: Annotated[float, Field(ge=0)] = 1
    """How long a stopping process still accepts requests while /readyz answers 503, so that a load balancer can stop
    sending first."""
    stop_timeout_seconds: Annotated[int, Field(ge=1)] = 15
    """How long a stopping process waits for requests that it has accepted."""

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        require_private_url(url)
        parts = urlsplit(url)
        if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("must be a scheme, a host and perhaps a port, without a path")
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def is_private(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


class OidcSettings(Section):
    """The issuer at which people sign in to the page (OpenID Connect, code flow with PKCE)."""

    issuer: str | None = None
    """The issuer's URL, as in its discovery document. Without it people open the page by a link of `tallymill link`, or
    paste a token. Needs oidc.client_id, console.public_url and console.session_keys."""
    client_id: Annotated[str, Field(min_length=1)] | None = None
    """The console's client id at the issuer. Its redirect URI there is console.public_url followed by `/callback`."""
    client_secret: SecretStr | None = None
    """The client's secret; without it the console is a public client."""
    scopes: Annotated[str, Field(pattern=r"^openid( \S+)*$")] = "openid"
    """Scopes to ask the issuer for, separated by spaces. The first one is `openid`."""

    @field_validator("issuer")
    @classmethod
    def _is_private(cls, url: str | None) -> str | None:
        if url is not None:
            require_private_url(url)
        return url


class ConsoleConfig(Section):
    """The settings of one console process.

    `kafka`: without bootstrap_servers, lag and balance are not known, and no dead letter can be redriven.
    """

    kafka: KafkaSettings = KafkaSettings()
    mongodb: MongoSettings
    tokens: TokenCheckSettings
    oidc: OidcSettings = OidcSettings()
    console: ConsoleSettings

    @model_validator(mode="after")
    def _others_are_asked_who_they_are(self) -> Self:
        tokens = self.tokens
        are_checked = tokens.issuer and tokens.audience and (tokens.jwks or tokens.introspection_url)
        if not (self.console.is_private or are_checked):
            raise ValueError(
                f"console.host: {self.console.host} can be reached from other machines, and nothing says who asks. "
                "Set tokens.issuer, tokens.audience and tokens.jwks, or use 127.0.0.1"
            )
        return self
