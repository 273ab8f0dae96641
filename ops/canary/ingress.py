"""The canary's three requests to the ingress. What they come to is decided in batch.py."""

from collections.abc import Callable
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from ops.canary import batch
from ops.canary.batch import Accepted, Again, Lost, Refused, Reply, Total, Visible
from ops.http_words import failure


class TokenMissing(Exception):
    """There is no token now. The message says why."""


class Ingress:
    """One ingress, or a load balancer before several."""

    def __init__(self, url: str, token: Callable[[], str], try_seconds: float) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout = aiohttp.ClientTimeout(total=try_seconds)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, body: bytes) -> Accepted | Again | Refused:
        """Send a batch."""
        found = await self._asked("POST", "/games/v1/events", data=body)
        return batch.sent(found) if isinstance(found, Reply) else found

    async def state(self, receipt: str) -> Visible | Lost | Again | Refused:
        """What became of the batch with this receipt."""
        found = await self._asked("GET", f"/v1/receipts/{quote(receipt, safe='')}")
        return batch.state(found) if isinstance(found, Reply) else found

    async def total(self) -> Total | Again:
        """The total of the canary's event."""
        found = await self._asked("GET", "/games/v1/events")
        return batch.total(found) if isinstance(found, Reply) else found

    async def _asked(self, method: str, path: str, **options: Any) -> Reply | Again:  # noqa: ANN401 aiohttp's
        try:
            headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"}
        except TokenMissing as error:
            return Again(str(error), maybe_stored=False)
        try:
            async with self._session.request(method, self._url + path, headers=headers, **options) as reply:
                return Reply(reply.status, reply.headers, await reply.text(errors="replace"))
        except (aiohttp.ClientError, TimeoutError) as error:
            return Again(failure(error))
