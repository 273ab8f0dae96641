"""Why the server refuses bytes that are no HTTP request (B9).

The server calls the ASGI app all the same, so that the answer has the shape of the path's API. An extension of the
scope says why.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from schemas.wire.errors import Told

# In ASGI's `extensions`, which are for what a server tells an app beyond the specification.
_EXTENSION: Final = "tallymill.unparsed"


class Unparsed(Enum):
    """HTTP code, Google's status and reason, and the message."""

    MALFORMED = Told(400, "INVALID_ARGUMENT", "badRequest", "The request is not valid HTTP/1.1.")
    LATE = Told(408, "DEADLINE_EXCEEDED", "requestTimeout", "The head of the request did not come in time.")
    HEAD_LARGE = Told(
        431, "RESOURCE_EXHAUSTED", "requestHeaderFieldsTooLarge", "The head of the request is larger than allowed."
    )
    FULL = Told(503, "UNAVAILABLE", "backendError", "Too many connections are open. Send the same again later.")
    VERSION = Told(505, "INVALID_ARGUMENT", "httpVersionNotSupported", "Only HTTP/1.1 and HTTP/1.0 are served here.")


BY_STATUS: Final[Mapping[int, Unparsed]] = {unparsed.value.code: unparsed for unparsed in Unparsed}


def unparsed_of(scope: Mapping[str, Any]) -> Unparsed | None:
    """Why the server refused this; None for an HTTP request."""
    extensions = scope.get("extensions")
    return extensions.get(_EXTENSION) if extensions else None


def extensions_of(unparsed: Unparsed | None) -> dict[str, Any]:
    """The extensions of a scope that the server refuses."""
    return {_EXTENSION: unparsed}


def announces_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body follows these headers. If it is not read, the connection must close after the reply."""
    return headers.get(b"content-length", b"0").strip(b"0") != b"" or b"transfer-encoding" in headers
