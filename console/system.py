"""`GET /v1/system`: the observer's snapshot. It reads nothing, so any number of readers costs the servers nothing."""

import hashlib
from typing import Final, Protocol

from console.observer.snapshot import Snapshot
from console.reading import Parts, bad_query_refused
from serving.headers import RawHeader
from serving.http.replies import NOT_MODIFIED_CODE, json_reply
from serving.http.reply import Reply
from serving.http.request import Request

# A page may keep the answer, but must ask before it shows it again.
NO_CACHE: Final[RawHeader] = (b"cache-control", b"no-cache")
ETAG: Final = b"etag"


class Observed(Protocol):
    @property
    def snapshot(self) -> Snapshot:
        """The last one."""
        ...


class System:
    """`GET /v1/system`. The answer is written once a snapshot, for all readers."""

    def __init__(self, parts: Parts, observer: Observed) -> None:
        self._parts = parts
        self._observer = observer
        self._written: tuple[Snapshot, Reply, bytes] | None = None

    async def __call__(self, request: Request) -> Reply:
        with bad_query_refused():
            await self._parts.checked(request, ())
        reply, etag = self._reply()
        if is_known(etag, request.headers.get(b"if-none-match")):
            return Reply(NOT_MODIFIED_CODE, b"", (NO_CACHE, (ETAG, etag)))
        return reply

    def _reply(self) -> tuple[Reply, bytes]:
        snapshot = self._observer.snapshot
        if self._written is None or self._written[0] is not snapshot:
            reply = json_reply(200, snapshot.as_json())
            etag = b'"%s"' % hashlib.sha256(reply.body).hexdigest()[:32].encode()
            self._written = snapshot, reply.having(NO_CACHE, (ETAG, etag)), etag
        return self._written[1], self._written[2]


def is_known(etag: bytes, if_none_match: bytes | None) -> bool:
    """Whether the client has this version (RFC 9110, section 13.1.2: a weak comparison)."""
    if if_none_match is None:
        return False
    given = [one.strip().removeprefix(b"W/") for one in if_none_match.split(b",")]
    return etag in given or given == [b"*"]
