"""One HTTP reply, as an endpoint returns it. Pure."""

from typing import Final

import msgspec

from serving.headers import RawHeader

JSON: Final[RawHeader] = (b"content-type", b"application/json; charset=utf-8")
CLOSE: Final[RawHeader] = (b"connection", b"close")
NO_STORE: Final[RawHeader] = (b"cache-control", b"no-store")
NO_CACHE: Final[RawHeader] = (b"cache-control", b"no-cache")
"""A client keeps the reply, and asks each time whether it is current."""


class Reply(msgspec.Struct, frozen=True):
    """Status, body and headers. The sender adds Content-Length."""

    status: int
    body: bytes
    headers: tuple[RawHeader, ...] = (JSON,)

    def having(self, *headers: RawHeader) -> "Reply":
        """The same reply with more headers."""
        return Reply(self.status, self.body, self.headers + headers)
