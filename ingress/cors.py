"""CORS (Fetch standard) for configured origins; for others, and by default, there is none (B5).

Without cookies there is nothing that a foreign page could borrow: no `Access-Control-Allow-Credentials`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from ingress.answers import RawHeader, Reply

ALLOWED_HEADERS: Final = (
    b"authorization, content-type, content-encoding, prefer, x-http-method-override, x-request-id, idempotency-key"
)
EXPOSED_HEADERS: Final = b"Tallymill-Receipt, Tallymill-Duplicate, Retry-After, X-Request-Id"
# How long a browser may remember a preflight; no browser but one keeps it longer.
PREFLIGHT_SECONDS = 7_200

ANY = "*"


class Cors:
    """What is said to pages of `origins`: exact ones (`https://game.example`), or any (`*`)."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)
        self._any = ANY.encode() in self._origins

    def headers(self, request: Mapping[bytes, bytes]) -> tuple[RawHeader, ...]:
        """For every reply, errors too: a page must be able to read why."""
        origin = request.get(b"origin")
        if origin is None or not (self._any or origin in self._origins):
            return ()
        exposed = (b"access-control-expose-headers", EXPOSED_HEADERS)
        allowed = (b"access-control-allow-origin", b"*" if self._any else origin)
        return (allowed, exposed, (b"vary", b"Origin"))

    def is_preflight(self, request: Mapping[bytes, bytes]) -> bool:
        """Whether an OPTIONS request asks for a page of an allowed origin; others are none of ours."""
        return b"access-control-request-method" in request and bool(self.headers(request))


def preflight_reply(methods: Iterable[str]) -> Reply:
    """What a page may send to a path that takes `methods`. Without a token: browsers send none along."""
    headers = (
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
    )
    return Reply(204, b"", headers)
