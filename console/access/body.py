"""The JSON body of a write. It is small, and arrives at once."""

import asyncio
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors.table import Refusal
from schemas.wire.malformed import MAX_VIOLATIONS, Violation
from serving.http.request import Request
from serving.refused import Refused

MAX_BYTES: Final = 256 << 10
"""A thousand ids have 100 KiB."""
ARRIVAL_SECONDS: Final = 10

Body = TypeVar("Body", bound=BaseModel)


async def json_body(request: Request, model: type[Body]) -> Body:
    """The body as this model. Raises Refused.

    The media type must be JSON: a form of another site's page can't send it.
    """
    media_type = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type != b"application/json" or b"content-encoding" in request.headers:
        raise Refused(Refusal.MEDIA_TYPE)
    try:
        return model.model_validate_json(await _read(request))
    except ValidationError as error:
        wrong = error.errors(include_input=False)[:MAX_VIOLATIONS]
        raise Refused(Refusal.MALFORMED, [_violation(one) for one in wrong]) from error


def _violation(error: ErrorDetails) -> Violation:
    message = error["msg"].removeprefix("Value error, ")
    return Violation(field=".".join(map(str, error["loc"])), description=message)


async def _read(request: Request) -> bytes:
    """The whole body. Raises Refused if it is too large or too slow."""
    body = bytearray(request.read.arrived() or b"")
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while not request.read.is_whole and len(body) <= MAX_BYTES:
                body += (await request.read()).get("body", b"")
    except TimeoutError:
        raise Refused(Refusal.BODY_LATE) from None
    if len(body) > MAX_BYTES:
        raise Refused(Refusal.MALFORMED, [Violation(field="", description=f"Larger than {MAX_BYTES} bytes")])
    return bytes(body)
