"""The error body: Google's shape, so that Google's clients can read it. The errors: schemas/errors/table.py."""

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from schemas.wire.malformed import MAX_VIOLATIONS, Violation


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Described(Protocol):
    """What the body says of an error: HTTP status, canonical status, Google's reason, message."""

    @property
    def code(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def message(self) -> str: ...


def error_body(error: Described, violations: Sequence[Violation] = ()) -> dict[str, object]:
    """An ErrorBody as JSON. It has `details` only with violations, because clients show `details` first (G21)."""
    message = violations[0].description if len(violations) == 1 and not violations[0].field else error.message
    written: dict[str, object] = {
        "code": error.code,
        "message": message,
        "status": error.status,
        "errors": [{"reason": error.reason, "message": message, "domain": "global"}],
    }
    if violations:
        fields = [violation.model_dump() for violation in violations]
        written["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields}]
    return {"error": written}


class ErrorReason(_Model):
    """The reason, as Google's clients expect it."""

    reason: str
    message: str
    domain: Literal["global"]


class BadRequestDetail(_Model):
    """google.rpc.BadRequest: what is wrong with each field (B2)."""

    type: Annotated[Literal["type.googleapis.com/google.rpc.BadRequest"], Field(alias="@type")]
    fieldViolations: Annotated[tuple[Violation, ...], Field(min_length=1, max_length=MAX_VIOLATIONS)]  # noqa: N815


class Error(_Model):
    """One error. Only a 400 has `details`, because clients show it first (G21)."""

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
