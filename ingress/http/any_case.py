"""Routes of the analytics API (A1): any case, an optional trailing slash, an optional API version in front."""

import re
from typing import Any

from starlette.routing import BaseRoute, Match

from ingress.http.pipeline import Served

# `/v1/AddEvent`, `/2.4/AddEvent`: the version is ignored.
_VERSION = r"(?:/v?[0-9]{1,4}(?:\.[0-9]{1,4}){0,3})?"


class AnyCaseRoute(BaseRoute):
    """One path. It matches in ASCII only: Unicode would also match `\u212a`, the Kelvin sign, as a K."""

    def __init__(self, path: str, served: Served) -> None:
        self.path = path
        self.endpoint = served
        self._matches = re.compile(rf"{_VERSION}{re.escape(path)}/?", re.IGNORECASE | re.ASCII).fullmatch

    def matches(self, scope: Any) -> tuple[Match, Any]:  # noqa: ANN401 starlette's own type is a dict of any
        """Any method: the pipeline answers 405 to one that the path does not take."""
        found = scope["type"] == "http" and self._matches(scope["path"])
        return (Match.FULL if found else Match.NONE), {}

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 as above
        await self.endpoint(scope, receive, send)
