"""Why the server refuses bytes that are not an HTTP request (B9).

The server calls the ASGI app all the same, so that the answer has the shape of the path's API. An extension of the
scope says why.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.errors.table import Refusal

# A key of ASGI's `extensions`, which carry what a server tells an app beyond the specification.
_EXTENSION: Final = "tallymill.unparsed"


BY_STATUS: Final[Mapping[int, Refusal]] = {
    refusal.value.code: refusal
    for refusal in (
        Refusal.BAD_HTTP,
        Refusal.HEAD_LATE,
        Refusal.HEAD_LARGE,
        Refusal.FULL,
        Refusal.HTTP_VERSION,
    )
}
"""What the HTTP parser refuses, by the status that it answers."""


def unparsed_of(scope: Mapping[str, Any]) -> Refusal | None:
    """Why the server refused this; None for an HTTP request."""
    extensions = scope.get("extensions")
    return extensions.get(_EXTENSION) if extensions else None


def extensions_of(unparsed: Refusal | None) -> dict[str, Any]:
    """The extensions of a scope that the server refuses."""
    return {_EXTENSION: unparsed}


def announces_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body follows these headers. If it is not read, the connection must close after the reply."""
    return headers.get(b"content-length", b"0").strip(b"0") != b"" or b"transfer-encoding" in headers
