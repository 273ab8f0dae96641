"""The error body of every reply that is no answer of the contract: Google's shape, so that its clients read it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.games import MAX_VIOLATIONS, Violation


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorReason(_Model):
    """Why, in the words that Google's clients act on."""

    reason: str
    message: str
    domain: Literal["global"]


class BadRequestDetail(_Model):
    """google.rpc.BadRequest: what is wrong with the request, field by field (B2)."""

    type: Annotated[Literal["type.googleapis.com/google.rpc.BadRequest"], Field(alias="@type")]
    fieldViolations: Annotated[tuple[Violation, ...], Field(min_length=1, max_length=MAX_VIOLATIONS)]  # noqa: N815


class Error(_Model):
    """One error. `details` stands only in a 400, for clients show it first (G21)."""

    code: Annotated[int, Field(ge=400, le=599)]
    message: str
    status: str
    errors: Annotated[tuple[ErrorReason, ...], Field(min_length=1, max_length=1)]
    details: Annotated[
        tuple[BadRequestDetail, ...] | None, Field(min_length=1, max_length=1, exclude_if=lambda value: value is None)
    ] = None


class ErrorBody(_Model):
    """The body of every error."""

    error: Error
