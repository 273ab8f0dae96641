"""What the routes under `/v1`, `/livez` and `/readyz` answer."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.documents import Fate
from schemas.wire.int64 import Int64

State = Literal["pending"] | Fate


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReceiptReply(_Reply):
    """`GET /v1/receipts/{receipt}`: what became of a batch."""

    receipt: str
    state: State
    cause: Annotated[str | None, Field(description="Why it was not applied; null where it was, or is not known yet.")]


class RequestReply(_Reply):
    """`GET /v1/requests/{requestId}`: a request that counted."""

    requestId: Int64  # noqa: N815 the wire's name
    state: Literal["applied"]
    at: Annotated[datetime, Field(description="When the record came into Kafka.")]


class LiveReply(_Reply):
    """`GET /livez`."""

    live: Literal[True]


class ReadyReply(_Reply):
    """`GET /readyz`: what keeps requests from being sent here; nothing when it is ready."""

    ready: bool
    missing: tuple[str, ...]
