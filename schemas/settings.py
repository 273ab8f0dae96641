"""Settings that the ingress and the worker share: where the servers are, what is promised, what is allowed.

Pure models: they say names, units, ranges and reasons. Reading the environment or a file is `ops/config.py`.
Every field's description is a row of docs/settings.md (compared in a test).
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

DAY_SECONDS = 86_400
MIB = 1 << 20

# An HMAC-SHA256 key shorter than the hash's half is guessable before it is breakable (RFC 2104, section 3).
MIN_KEY_BYTES = 16


class Section(BaseModel):
    """One table of the settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Api = Literal["games", "analytics"]
"""Which of the two wire APIs; each has a topic of its own, so that neither starves the other."""

APIS: tuple[Api, ...] = ("games", "analytics")


class KafkaSettings(Section):
    bootstrap_servers: Annotated[str, Field(pattern=r"^[^\s,]+:[0-9]{1,5}(, *[^\s,]+:[0-9]{1,5})*$")] | None = None
    """Kafka's addresses, `host:port[,host:port]`. Required by ingress, worker and init; `tallymill up` fills it in."""
    records_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = "tallymill.records"
    """Topic of the events.record batches."""
    analytics_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = "tallymill.analytics"
    """Topic of the AddEvent and AddEventBatch pools."""
    group: Annotated[str, Field(min_length=1)] = "tallymill"
    """Consumer group of the workers; of the analytics topic it is this with `.analytics` behind it."""
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 6
    """Partitions `init` creates a topic with: the most workers that can share it. A topic that has fewer is wrong;
    `init --add-partitions` adds them."""
    replication_factor: Annotated[int, Field(ge=1, le=9)] = 1
    """Replicas `init` creates a topic with. 3 in production, or Kafka's ack is worth one disk."""
    retention_seconds: Annotated[int, Field(ge=60)] = 7 * DAY_SECONDS
    """How long Kafka keeps a record: how long workers may be away, and how far `verify` can recount.
    A topic that keeps records for longer or shorter than this, or limits their bytes, is refused."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to talk to Kafka."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """SASL mechanism, with a SASL_ protocol."""
    sasl_username: str | None = None
    """SASL user."""
    sasl_password: SecretStr | None = None
    """SASL password."""
    ssl_cafile: str | None = None
    """File of the authorities trusted for Kafka's certificate; the system's when unset."""
    ssl_certfile: str | None = None
    """Client certificate file."""
    ssl_keyfile: str | None = None
    """Client key file."""

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        if self.security_protocol.startswith("SASL_") and not (self.sasl_username and self.sasl_password):
            msg = "sasl_username and sasl_password are needed with security_protocol " + self.security_protocol
            raise ValueError(msg)
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
        """The API of a topic; one that is in the settings no more is taken for the first that we had."""
        return "analytics" if topic == self.analytics_topic else "games"

    def group_of(self, api: Api) -> str:
        """The group that shares it: one of its own, so that the members of one don't rebalance the other."""
        return self.group if api == "games" else f"{self.group}.analytics"

    def client_options(self) -> dict[str, str | None]:
        """How a client connects, in aiokafka's names; certificates are the caller's to read."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism if self.security_protocol.startswith("SASL_") else "PLAIN",
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password.get_secret_value() if self.sasl_password else None,
        }


class MongoSettings(Section):
    uri: SecretStr | None = None
    """MongoDB's connection string; a replica set or sharded cluster. Required; `tallymill up` fills it in. Its options
    may not change reads and writes: readPreference, w, journal, readConcernLevel and time-outs are refused."""
    database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")] = "tallymill"
    """Database name."""
    refusals_bytes: Annotated[int, Field(ge=MIB)] = 16 * MIB
    """Size `init` makes the capped collection `refusals` with: some 40,000 refusals, then the oldest go."""


class Limits(Section):
    """Limits of a request (docs/rules.md, G3 to G18), published at `GET /v1/limits`; arguments of the judging rules."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * MIB)] = MIB
    """Largest body of events.record, decoded (B8). Kafka's message size must allow it."""
    max_updates_per_request: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """More updates (and periods without updates) than this is TOO_LARGE (G6)."""
    min_period_seconds: Annotated[float, Field(ge=0)] = 1
    """A shorter period is TIME_PERIOD_SHORT (G8)."""
    max_period_seconds: Annotated[float, Field(gt=0, validate_default=True)] = DAY_SECONDS
    """A longer period is TIME_PERIOD_LONG (G8)."""
    max_period_age_seconds: Annotated[float, Field(gt=0)] = 30 * DAY_SECONDS
    """A period that ended longer ago is TIME_PERIOD_EXPIRED (G8)."""
    clock_skew_tolerance_seconds: Annotated[float, Field(ge=0)] = 300
    """A client's clock ahead by more is certainly wrong, and its periods are shifted (G7)."""
    max_update_count: Annotated[int, Field(ge=1, le=10**9)] = 1_000_000
    """A larger updateCount is INVALID_UPDATE_VALUE (G13)."""
    max_requests_per_player: Annotated[int, Field(ge=1)] = 600
    """Requests one player may send in `player_window_seconds`; more is RECORD_RATE_HIGH (G17)."""
    player_window_seconds: Annotated[int, Field(ge=1)] = 60
    """The moving window of `max_requests_per_player`."""
    max_lag_seconds: Annotated[float, Field(gt=0)] = 3_600
    """Workers further behind than this make every request RECORD_RATE_HIGH (G17)."""
    dedupe_window_seconds: Annotated[int, Field(ge=60)] = 7 * DAY_SECONDS
    """How long a requestId is remembered, by the records' own times: the span of the exactly-once promise."""
    max_analytics_body_bytes: Annotated[int, Field(ge=1024, le=64 * MIB)] = 8 * MIB
    """Largest body of AddEvent and AddEventBatch, decoded (B8)."""
    max_items_per_request: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """Items one AddEventBatch may hold; more is 413 (A5)."""
    max_event_age_seconds: Annotated[int, Field(ge=60)] = 400 * DAY_SECONDS
    """An item older than this counts in the minute it was received, and is marked so (A6)."""
    max_titles: Annotated[int, Field(ge=1)] = 1_000
    """Titles of an app's players that are counted by name; items of further ones count as `(other)`."""
    max_titles_per_player: Annotated[int, Field(ge=1)] = 100
    """How many of `max_titles` one player may be the first to send. Raise it where one player sends for all."""
    max_anonymous_titles: Annotated[int, Field(ge=0)] = 100
    """Titles beside `max_titles` that are counted by name though only anonymous actors have sent them."""
    event_retention_seconds: Annotated[int, Field(ge=60)] = 90 * DAY_SECONDS
    """How long an item sent again is known for the same, by the records' own times (A11). Its document in `events` is
    kept for this and kafka.retention_seconds, so that a worker that lags still finds it."""

    @field_validator("max_period_seconds")
    @classmethod
    def _some_length_is_allowed(cls, longest: float, info: ValidationInfo) -> float:
        if info.data.get("min_period_seconds", longest) > longest:
            msg = "min_period_seconds is larger than max_period_seconds"
            raise ValueError(msg)
        return longest

    def for_app(self, app: str) -> "Limits":  # noqa: ARG002 nothing is said of any app here
        """The limits in force for `app`: these, where no app has its own (LimitSettings)."""
        return self

    def everyones(self) -> "tuple[Limits, ...]":
        """Every set of limits that is in force for somebody."""
        return (self,)


def _with_the_defaults(own: object, info: ValidationInfo) -> object:
    """What an app says, and of the rest what holds for everybody."""
    return {**info.data, **own} if isinstance(own, Mapping) else own


def _within_the_systems(limits: Limits, info: ValidationInfo) -> Limits:
    """Refuse what is not an app's to set. Raises ValidationError naming the limit.

    Whose a body is, is known only after the first look at its size; how long ids are remembered is one TTL for all.
    """
    everybodys = {**limits.model_dump(), **info.data}
    wrong = {}
    for name in ("max_body_bytes", "max_analytics_body_bytes"):
        if getattr(limits, name) > everybodys[name]:
            wrong[name] = f"An app's may only be lower than limits.{name}"
    for name in ("dedupe_window_seconds", "event_retention_seconds"):
        if getattr(limits, name) != everybodys[name]:
            wrong[name] = f"It is the same for all apps: limits.{name}"
    if wrong:
        raise ValidationError.from_exception_data("limits", [_error(name, why) for name, why in wrong.items()])
    return limits


def _error(name: str, why: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("not_the_apps", "{why}", {"why": why}), loc=(name,), input=None)


AppId = Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)]
AppLimits = Annotated[Limits, BeforeValidator(_with_the_defaults), AfterValidator(_within_the_systems)]


class LimitSettings(Limits):
    """The limits of everybody, and those of apps that have their own."""

    apps: Mapping[AppId, AppLimits] = {}
    """Limits of single apps: `[limits.apps.my-app]` with any of the names above, but dedupe_window_seconds and
    event_retention_seconds; of max_body_bytes and max_analytics_body_bytes only a lower one. In the environment as
    JSON: `TALLYMILL_LIMITS__APPS='{"my-app": {...}}'`."""

    def for_app(self, app: str) -> Limits:
        return self.apps.get(app, self)

    def everyones(self) -> tuple[Limits, ...]:
        return (self, *self.apps.values())


class SigningSettings(Section):
    keys: Annotated[tuple[Annotated[SecretStr, Field(min_length=MIN_KEY_BYTES)], ...], Field(min_length=1)] | None = (
        None
    )
    """Secrets shared by all ingresses and workers, 16 characters or more each: the first signs the `judged` header
    and receipts, any verifies (so that keys can be changed without a stop). Required; `tallymill up` makes one."""
