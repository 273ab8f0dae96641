"""The answer of `GET /v1/system`: the state of the whole system. null means not known; an unknown number is never 0."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.settings import Api

_Records = Annotated[int, Field(json_schema_extra={"format": "int64"})]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Visible(_Model):
    """Seconds from the acceptance of a record by Kafka until it is visible in MongoDB, over the last minute."""

    p50: float
    p99: float


class PartitionState(_Model):
    """One partition of a topic."""

    partition: int
    owner: Annotated[str | None, Field(description="The worker that has it, as host:pid. null: no worker has it.")]
    lagRecords: Annotated[_Records | None, Field(description="Accepted and not counted.")]  # noqa: N815 the wire's name
    lagSeconds: Annotated[  # noqa: N815 the wire's name
        float | None, Field(description="The age of the oldest record that is not counted; 0 if none waits.")
    ]
    next: Annotated[_Records | None, Field(description="The offset to count next.")]
    end: Annotated[_Records | None, Field(description="The offset after the last record, without open transactions.")]
    lastFlush: datetime | None  # noqa: N815 the wire's name
    stopped: Annotated[str | None, Field(description="Why no worker reads it until an operator acts.")]
    headroomSeconds: Annotated[  # noqa: N815 the wire's name
        float | None, Field(description="Until Kafka removes the oldest record that is not counted.")
    ]


class TopicState(_Model):
    """The balance of one topic: accepted = applied + duplicate + refused + dead + gaps + inFlight + difference."""

    api: Api
    topic: str
    accepted: _Records | None
    applied: _Records | None
    duplicate: _Records | None
    refused: _Records | None
    dead: _Records | None
    gaps: Annotated[_Records | None, Field(description="Offsets without a record: Kafka's own.")]
    inFlight: _Records | None  # noqa: N815 the wire's name
    difference: Annotated[_Records | None, Field(description="0, or what was counted is not what was accepted.")]
    acceptedPerSecond: float | None  # noqa: N815 the wire's name
    countedPerSecond: float | None  # noqa: N815 the wire's name
    lagRecords: _Records | None  # noqa: N815 the wire's name
    lagSeconds: Annotated[float | None, Field(description="Of the worst partition.")]  # noqa: N815 the wire's name
    visible: Visible | None
    deadLettersOpen: _Records | None  # noqa: N815 the wire's name
    partitions: tuple[PartitionState, ...]


class Series(_Model):
    """One value a step of the history."""

    accepted: Annotated[tuple[float | None, ...], Field(description="Records a second.")]
    counted: Annotated[tuple[float | None, ...], Field(description="Records a second.")]
    lagSeconds: tuple[float | None, ...]  # noqa: N815 the wire's name
    p50: tuple[float | None, ...]
    p99: tuple[float | None, ...]


class History(_Model):
    """The last five minutes, the oldest first."""

    stepSeconds: float  # noqa: N815 the wire's name
    at: Annotated[tuple[datetime, ...], Field(max_length=150)]
    games: Series | None = None
    analytics: Series | None = None


class CheckResult(_Model):
    """The last run of `tallymill verify` or `doctor`."""

    at: datetime
    ok: bool
    detail: str


class SystemReply(_Model):
    """`GET /v1/system`: one snapshot, made every two seconds whoever asks."""

    asOf: Annotated[datetime, Field(description="When it was read.")]  # noqa: N815 the wire's name
    state: Annotated[
        Literal["well", "degraded", "down", "unknown"],
        Field(
            description="down: nothing is accepted or counted of a topic, or counts are wrong. degraded: some records "
            "count late, or an operator must act."
        ),
    ]
    since: Annotated[datetime, Field(description="Since when the state is this one.")]
    reasons: Annotated[tuple[str, ...], Field(description="Sentences, the worst first.")]
    topics: tuple[TopicState, ...]
    refusedPerSecond: Annotated[  # noqa: N815 the wire's name
        Mapping[str, float] | None,
        Field(
            description="By cause, over the last minute: records that workers refused, and of what an ingress refused "
            "the sample, which has ten a minute for each app and cause."
        ),
    ]
    history: History
    lastVerify: CheckResult | None  # noqa: N815 the wire's name
    lastDoctor: CheckResult | None  # noqa: N815 the wire's name
