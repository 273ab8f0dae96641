"""CORS (Fetch standard) for configured origins; for others, and by default, there is none (B5).

Without cookies there is nothing that a foreign page could borrow: no `Access-Control-Allow-Credentials`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from serving.headers import RawHeader

# How long a browser may remember a preflight; no browser but one keeps it longer.
PREFLIGHT_SECONDS: Final = 7_200

ANY = "*"


@dataclass(frozen=True, slots=True)
class Shared:
    """What a process lets pages send, and read of its replies, beyond what the Fetch standard always lets them."""

    allowed: bytes
    exposed: bytes


class Cors:
    """What is said to pages of `origins`: exact ones (`https://game.example`), or any (`*`)."""

    def __init__(self, origins: Iterable[str], shared: Shared) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)
        self._any = ANY.encode() in self._origins
        self._exposed = (b"access-control-expose-headers", shared.exposed)

    def headers(self, request: Mapping[bytes, bytes]) -> tuple[RawHeader, ...]:
        """For every reply, errors too: a page must be able to read why."""
        origin = request.get(b"origin")
        if origin is None or not (self._any or origin in self._origins):
            return ()
        allowed = (b"access-control-allow-origin", b"*" if self._any else origin)
        return (allowed, self._exposed, (b"vary", b"Origin"))

    def is_preflight(self, request: Mapping[bytes, bytes]) -> bool:
        """Whether an OPTIONS request asks for a page of an allowed origin; others are none of ours."""
        return b"access-control-request-method" in request and bool(self.headers(request))


def preflight_headers(methods: Iterable[str], shared: Shared) -> tuple[RawHeader, ...]:
    """What a page may send to a path that takes `methods`: 204, without a token, for browsers send none along."""
    return (
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", shared.allowed),
        (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
    )
