"""`GET /v1/refusals`: a sample of what the ingress refused, for the operator of the app."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.wire.int64 import Int64

# The answer shows what other players sent, so the token of a player is not enough.
REFUSALS_SCOPE = "tallymill.refusals"

DEFAULT_REFUSALS = 100
MAX_REFUSALS = 500


class _Answer(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class RefusalAnswer(_Answer):
    """One refusal. `firstBytes` is the beginning of the refused part. Bytes that are not UTF-8 are escaped."""

    id: str
    at: str
    player: str
    request_id: Int64 | None
    cause: str
    field: str
    first_bytes: str


class RefusalsAnswer(_Answer):
    """A page, newest first. `nextBefore` is the `before` of the next page, and absent on the last page."""

    refusals: tuple[RefusalAnswer, ...]
    next_before: str | None = Field(default=None, exclude_if=lambda value: value is None)
