"""The error body of every reply that is no answer of the contract: Google's shape, so that its clients read it."""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from schemas.wire.malformed import MAX_VIOLATIONS, Violation


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Told(NamedTuple):
    """What a refusal tells: HTTP code, Google's status and reason, and words for a person."""

    code: int
    status: str
    reason: str
    message: str


def error_body(told: Told, violations: Sequence[Violation] = ()) -> dict[str, object]:
    """An ErrorBody as JSON. `details` only where there are violations, for clients show it first (G21)."""
    message = violations[0].description if len(violations) == 1 and not violations[0].field else told.message
    error: dict[str, object] = {
        "code": told.code,
        "message": message,
        "status": told.status,
        "errors": [{"reason": told.reason, "message": message, "domain": "global"}],
    }
    if violations:
        fields = [violation.model_dump() for violation in violations]
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields}]
    return {"error": error}


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
