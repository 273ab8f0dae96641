"""Settings that several processes share: servers, limits, signing keys.

These are pure models with names, units, ranges and defaults. `ops/config.py` reads the environment and the file.
The docstring of a field is its row in docs/settings.md; a test compares them.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.urls import require_private_url

DAY_SECONDS = 86_400
MIB = 1 << 20

# A shorter HMAC-SHA256 key is easier to guess than the MAC is to forge (RFC 2104, section 3).
MIN_KEY_BYTES = 16


class Section(BaseModel):
    """One table of the settings: frozen, unknown keys and infinite numbers refused. No error shows a value."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True, allow_inf_nan=False
    )


Api = Literal["games", "analytics"]
"""One of the two wire APIs. Each has its own topic, so that a flood on one does not delay the other."""

APIS: tuple[Api, ...] = ("games", "analytics")


class KafkaSettings(Section):
    bootstrap_servers: Annotated[str, Field(pattern=r"^[^\s,]+:[0-9]{1,5}(, *[^\s,]+:[0-9]{1,5})*$")] | None = None
    """Addresses of Kafka brokers: `host:port[,host:port]`. Required by ingress, worker and init; without it the
    console does not know lag and balance. `tallymill up` sets it."""
    records_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = "tallymill.records"
    """Topic for the batches of events.record."""
    analytics_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = "tallymill.analytics"
    """Topic for the pools of AddEvent and AddEventBatch."""
    group: Annotated[str, Field(min_length=1)] = "tallymill"
    """Consumer group of the workers of the games topic. That of the analytics topic is this name with `.analytics`
    appended."""
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 6
    """Partitions of a topic that `init` creates: the largest number of workers that can share it. `init` and `doctor`
    report a topic that has fewer; `init --partitions N` adds some."""
    replication_factor: Annotated[int, Field(ge=1, le=9)] = 1
    """Replicas of a topic that `init` creates. Use 3 in production: with 1, the loss of one disk loses acknowledged
    records."""
    retention_seconds: Annotated[int, Field(ge=60)] = 7 * DAY_SECONDS
    """How long Kafka keeps a record: the longest outage of all workers without loss, and how far back `verify` can
    recount. A topic with another retention, or with a limit of bytes, is refused."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Protocol of the connections to Kafka."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    """SASL mechanism, if the protocol begins with SASL_."""
    sasl_username: str | None = None
    """SASL user name. Not with OAUTHBEARER."""
    sasl_password: SecretStr | None = None
    """SASL password. Not with OAUTHBEARER."""
    ssl_cafile: str | None = None
    """File of the certificate authorities that are trusted for Kafka's certificate; by default those of the system."""
    ssl_certfile: str | None = None
    """Client certificate file (PEM), with the certificates between it and the authority. Read again when it changes."""
    ssl_keyfile: str | None = None
    """Client key file (PEM). Not needed if `ssl_certfile` holds the key too."""
    ssl_key_password: SecretStr | None = None
    """Password of an encrypted client key."""
    oauth_token_url: str | None = None
    """OAUTHBEARER: where this client gets its tokens (RFC 6749, section 4.4), an https URL. The authorities of
    `ssl_cafile` are trusted there beside those of the system."""
    oauth_client_id: str | None = None
    """OAUTHBEARER: client id at `oauth_token_url` (client_secret_basic)."""
    oauth_client_secret: SecretStr | None = None
    """OAUTHBEARER: client secret at `oauth_token_url`."""
    oauth_scope: str | None = None
    """OAUTHBEARER: scope to ask for, if the issuer needs one."""

    @field_validator("bootstrap_servers")
    @classmethod
    def _has_no_user(cls, servers: str | None) -> str | None:
        if servers and ("@" in servers or "://" in servers):
            raise ValueError("must not hold a protocol, a user or a password: they have settings of their own")
        return servers

    @field_validator("oauth_token_url")
    @classmethod
    def _is_private(cls, url: str | None) -> str | None:
        if url is not None:
            require_private_url(url)
        return url

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        """Names every setting that is missing."""
        needed = ["sasl_username", "sasl_password"] if self.security_protocol.startswith("SASL_") else []
        because = f"security_protocol {self.security_protocol}"
        if needed and self.sasl_mechanism == "OAUTHBEARER":
            needed = ["oauth_token_url", "oauth_client_id", "oauth_client_secret"]
            because = "sasl_mechanism OAUTHBEARER"
        if missing := [name for name in needed if not getattr(self, name)]:
            verb = "is" if len(missing) == 1 else "are"
            msg = f"{' and '.join(missing)} {verb} needed with {because}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _a_key_has_a_certificate(self) -> Self:
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ValueError("ssl_certfile is needed with ssl_keyfile")
        return self

    @model_validator(mode="after")
    def _topics_are_two(self) -> Self:
        if self.records_topic == self.analytics_topic:
            raise ValueError("records_topic and analytics_topic must not be the same")
        return self

    def topic(self, api: Api) -> str:
        """The topic of an API's records."""
        return self.records_topic if api == "games" else self.analytics_topic

    def api_of(self, topic: str) -> Api:
        """The API of a topic. A topic that the settings no longer name belongs to games, the first API there was."""
        return "analytics" if topic == self.analytics_topic else "games"

    def group_of(self, api: Api) -> str:
        """The consumer group of an API's topic. Each has its own: a rebalance of one doesn't disturb the other."""
        return self.group if api == "games" else f"{self.group}.analytics"

    def client_options(self) -> dict[str, str | None]:
        """Options of a client, named as in aiokafka, without certificates and secrets, which each connection reads."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism if self.security_protocol.startswith("SASL_") else "PLAIN",
        }


class MongoSettings(Section):
    uri: SecretStr | None = None
    """MongoDB's connection string, for a replica set or a sharded cluster. Required; `tallymill up` sets it. Options
    that change reads and writes are refused: readPreference, w, journal, readConcernLevel and time-outs."""
    database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")] = "tallymill"
    """Database name."""
    refusals_bytes: Annotated[int, Field(ge=MIB)] = 16 * MIB
    """Size of the capped collection `refusals` that `init` creates: about 40,000 refusals. Then MongoDB removes the
    oldest."""


class Limits(Section):
    """Limits of a request (docs/rules.md, G3 to G18), published at `GET /v1/limits`."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * MIB)] = MIB
    """Largest body of events.record, after decompression (B8). Kafka's largest message size must allow it."""
    max_updates_per_request: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """A request with more updates (a period without updates counts as one) is refused: TOO_LARGE (G6)."""
    min_period_seconds: Annotated[float, Field(ge=0)] = 1
    """A shorter period is refused: TIME_PERIOD_SHORT (G8)."""
    max_period_seconds: Annotated[float, Field(gt=0, validate_default=True)] = DAY_SECONDS
    """A longer period is refused: TIME_PERIOD_LONG (G8)."""
    max_period_age_seconds: Annotated[float, Field(gt=0)] = 30 * DAY_SECONDS
    """A period that ended longer ago is refused: TIME_PERIOD_EXPIRED (G8)."""
    clock_skew_tolerance_seconds: Annotated[float, Field(ge=0)] = 300
    """A client's clock that is ahead by more is treated as wrong, and its periods are shifted (G7)."""
    max_update_count: Annotated[int, Field(ge=1, le=10**9)] = 1_000_000
    """A larger updateCount is refused: INVALID_UPDATE_VALUE (G13)."""
    max_requests_per_player: Annotated[int, Field(ge=1)] = 600
    """Requests that one player may send in `player_window_seconds`; more are refused: RECORD_RATE_HIGH (G17)."""
    player_window_seconds: Annotated[int, Field(ge=1)] = 60
    """Length of the moving window of `max_requests_per_player`."""
    max_lag_seconds: Annotated[float, Field(gt=0)] = 3_600
    """If a player's partition lags by more than this, the player's requests are refused: RECORD_RATE_HIGH (G17)."""
    dedupe_window_seconds: Annotated[int, Field(ge=60)] = 7 * DAY_SECONDS
    """How long a requestId is remembered, by the times of the records. A retry within this time counts once."""
    max_analytics_body_bytes: Annotated[int, Field(ge=1024, le=64 * MIB)] = 8 * MIB
    """Largest body of AddEvent and AddEventBatch, after decompression (B8)."""
    max_items_per_request: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """Items in one AddEventBatch; a request with more is answered 413 (A5)."""
    max_event_age_seconds: Annotated[int, Field(ge=60)] = 400 * DAY_SECONDS
    """An item with an older time counts at the time it was received, and is marked `clock: old` (A6)."""
    max_titles: Annotated[int, Field(ge=1)] = 1_000
    """Titles that the players of an app may register. Items with further titles count as `(other)`."""
    max_titles_per_player: Annotated[int, Field(ge=1)] = 100
    """Titles out of `max_titles` that one player may register, by sending them first. Raise it if one player sends for
    all."""
    max_anonymous_titles: Annotated[int, Field(ge=0)] = 100
    """Titles beyond `max_titles` that the anonymous sessions of an app may register, all together."""
    event_retention_seconds: Annotated[int, Field(ge=60)] = 90 * DAY_SECONDS
    """How long an item is recognised when it is sent again, by the times of the records (A11). Its document in
    `events` is kept for this plus kafka.retention_seconds, so that a lagging worker still finds it."""

    @field_validator("max_period_seconds")
    @classmethod
    def _some_length_is_allowed(cls, longest: float, info: ValidationInfo) -> float:
        if info.data.get("min_period_seconds", longest) > longest:
            msg = "min_period_seconds is larger than max_period_seconds"
            raise ValueError(msg)
        return longest

    def for_app(self, app: str) -> "Limits":  # noqa: ARG002 LimitSettings needs it
        """The limits that apply to `app`. Only LimitSettings differs by app."""
        return self

    def everyones(self) -> "tuple[Limits, ...]":
        """Every set of limits that applies to some app."""
        return (self,)


def _with_the_defaults(own: object, info: ValidationInfo) -> object:
    """The limits that an app sets, and the common limits for the rest."""
    return {**info.data, **own} if isinstance(own, Mapping) else own


def _within_the_systems(limits: Limits, info: ValidationInfo) -> Limits:
    """Refuse limits that an app can't set. Raises ValidationError naming the limit.

    The size of a body is checked before its app is known. Ids of all apps share one TTL index.
    """
    common = {**limits.model_dump(), **info.data}
    wrong = {}
    for name in ("max_body_bytes", "max_analytics_body_bytes"):
        if getattr(limits, name) > common[name]:
            wrong[name] = f"must not be higher than limits.{name}"
    for name in ("dedupe_window_seconds", "event_retention_seconds"):
        if getattr(limits, name) != common[name]:
            wrong[name] = f"can't be set for an app: limits.{name} applies to all"
    if wrong:
        errors = [
            InitErrorDetails(type=PydanticCustomError("not_the_apps", "{why}", {"why": why}), loc=(name,), input=None)
            for name, why in wrong.items()
        ]
        raise ValidationError.from_exception_data("limits", errors)
    return limits


AppId = Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)]
AppLimits = Annotated[Limits, BeforeValidator(_with_the_defaults), AfterValidator(_within_the_systems)]


class LimitSettings(Limits):
    """The common limits, and those of apps that have their own."""

    apps: Mapping[AppId, AppLimits] = {}
    """Limits of single apps: a table `[limits.apps.my-app]` with any of the names above except dedupe_window_seconds
    and event_retention_seconds. max_body_bytes and max_analytics_body_bytes can only be lowered. In the environment
    as JSON: `TALLYMILL_LIMITS__APPS='{"my-app": {...}}'`."""

    def for_app(self, app: str) -> Limits:
        return self.apps.get(app, self)

    def everyones(self) -> tuple[Limits, ...]:
        return (self, *self.apps.values())


class SigningSettings(Section):
    keys: Annotated[tuple[Annotated[SecretStr, Field(min_length=MIN_KEY_BYTES)], ...], Field(min_length=1)] | None = (
        None
    )
    """Secrets that all ingresses and workers share, each of 16 characters or more. The first one signs the `judged`
    header and receipts; all of them verify, so that keys can be changed without a stop. Required; `tallymill up`
    makes one."""
