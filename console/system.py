"""`GET /v1/system`: the observer's snapshot. It reads nothing, so any number of readers costs the servers nothing."""

from typing import Final, Protocol

from console.observer.snapshot import Snapshot
from console.queries.parameters import Asked
from console.reading import Parts
from serving.http.replies import NOT_MODIFIED_CODE, etag_of, is_current, json_reply
from serving.http.reply import NO_CACHE, Reply
from serving.http.request import Request

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
        await self._parts.asked(request, (), Asked.require_valid)
        reply, etag = self._reply()
        if is_current(request.headers, etag):
            return Reply(NOT_MODIFIED_CODE, b"", (NO_CACHE, (ETAG, etag)))
        return reply

    def _reply(self) -> tuple[Reply, bytes]:
        snapshot = self._observer.snapshot
        if self._written is None or self._written[0] is not snapshot:
            reply = json_reply(200, snapshot.as_json())
            etag = etag_of(reply.body)
            self._written = snapshot, reply.having(NO_CACHE, (ETAG, etag)), etag
        return self._written[1], self._written[2]
