"""The answers of the routes under `/v1`, of `/livez` and of `/readyz`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.documents import Fate
from schemas.wire.int64 import Int64

State = Literal["pending"] | Fate


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReceiptReply(_Reply):
    """`GET /v1/receipts/{receipt}`: the state of a batch."""

    receipt: str
    state: State
    cause: Annotated[
        str | None, Field(description="Why it was not applied. Null if it was, or if that is not known yet.")
    ]


class RequestReply(_Reply):
    """`GET /v1/requests/{requestId}`: a request that counted."""

    requestId: Int64  # noqa: N815 the wire's name
    state: Literal["applied"]
    at: Annotated[datetime, Field(description="The time at which Kafka stored the record.")]


class LiveReply(_Reply):
    """`GET /livez`."""

    live: Literal[True]


class ReadyReply(_Reply):
    """`GET /readyz`: whether requests can be sent here, and what is missing if not."""

    ready: bool
    missing: tuple[str, ...]
