"""`POST /v1/sessions`: an anonymous session of an app, for clients without an account."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.wire.depth import MAX_DEPTH, is_deeper
from schemas.wire.malformed import MAX_VIOLATIONS, MalformedBody, Violation
from schemas.wire.violations import errors_of

# The body holds one short name.
MAX_SESSION_BODY_BYTES = 4_096


class SessionRequest(BaseModel):
    """The app that the session belongs to."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    app: Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)]


class SessionReply(BaseModel):
    """The token, the anonymous actor that it names, and its lifetime in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str
    actor: Annotated[str, Field(pattern="^~[0-9a-f]{32}$")]
    expiresIn: Annotated[int, Field(ge=1)]  # noqa: N815 the wire's name


def parse_session(body: bytes) -> SessionRequest:
    """Raises MalformedBody."""
    if is_deeper(body):
        raise MalformedBody((Violation(field="", description=f"Nested deeper than {MAX_DEPTH}"),))
    try:
        return SessionRequest.model_validate_json(body)
    except ValidationError as error:
        wrong = [
            Violation(field=".".join(map(str, at)).encode(errors="replace").decode(), description=message)
            for at, message in errors_of(error)[:MAX_VIOLATIONS]
        ]
        raise MalformedBody(tuple(wrong)) from None
