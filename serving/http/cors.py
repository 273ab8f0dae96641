"""CORS (Fetch standard) for the configured origins; by default there are none (B5).

`Access-Control-Allow-Credentials` is never sent, because there are no cookies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from serving.headers import RawHeader

# How long a browser may cache the reply to a preflight. Chromium caches none for longer.
PREFLIGHT_SECONDS: Final = 7_200

ANY = "*"


@dataclass(frozen=True, slots=True)
class Shared:
    """Headers that pages may send (`allowed`) and read (`exposed`), besides those that are always allowed."""

    allowed: bytes
    exposed: bytes


class Cors:
    """The headers for pages of `origins`: exact ones (`https://game.example`), or any (`*`)."""

    def __init__(self, origins: Iterable[str], shared: Shared) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)
        self._any = ANY.encode() in self._origins
        self._exposed = (b"access-control-expose-headers", shared.exposed)

    def headers(self, request: Mapping[bytes, bytes]) -> tuple[RawHeader, ...]:
        """The headers of every reply, errors included, so that a page can read the error."""
        origin = request.get(b"origin")
        if origin is None or not (self._any or origin in self._origins):
            return ()
        allowed = (b"access-control-allow-origin", b"*" if self._any else origin)
        return (allowed, self._exposed, (b"vary", b"Origin"))

    def is_preflight(self, request: Mapping[bytes, bytes]) -> bool:
        """Whether an OPTIONS request is the preflight of a page of an allowed origin."""
        return b"access-control-request-method" in request and bool(self.headers(request))


def preflight_headers(methods: Iterable[str], shared: Shared) -> tuple[RawHeader, ...]:
    """The headers of the reply to a preflight. It needs no token, because browsers send none with it."""
    return (
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", shared.allowed),
        (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
    )
