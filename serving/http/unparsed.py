"""Why a request is refused before it is one (B9): what the ASGI app finds in such a request's scope, and answers."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from schemas.wire.errors import Told

KEY: Final = "tallymill.unparsed"


class Unparsed(Enum):
    """HTTP code, Google's status and reason, and what the client is told."""

    MALFORMED = Told(400, "INVALID_ARGUMENT", "badRequest", "The request is not valid HTTP/1.1.")
    LATE = Told(408, "DEADLINE_EXCEEDED", "requestTimeout", "The head of the request did not come in time.")
    HEAD_LARGE = Told(
        431, "RESOURCE_EXHAUSTED", "requestHeaderFieldsTooLarge", "The head of the request is larger than allowed."
    )
    FULL = Told(503, "UNAVAILABLE", "backendError", "Too many connections are open. Send the same again later.")
    VERSION = Told(505, "INVALID_ARGUMENT", "httpVersionNotSupported", "Only HTTP/1.1 and HTTP/1.0 are served here.")


BY_STATUS: Final[Mapping[int, Unparsed]] = {unparsed.value.code: unparsed for unparsed in Unparsed}


def unparsed_of(scope: Mapping[str, Any]) -> Unparsed | None:
    """Why this is no request; None for every one that is."""
    found: Unparsed | None = scope.get(KEY)
    return found


def announces_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body follows these headers. Where it isn't read, the connection has to end with the reply."""
    return headers.get(b"content-length", b"0").strip(b"0") != b"" or b"transfer-encoding" in headers
