"""The paths of the analytics events (A1): in any case, one trailing slash allowed, an API version in front or not."""

import re
from typing import Any

from starlette.routing import BaseRoute, Match

from ingress.http.pipeline import Served

# `/v1/AddEvent`, `/2.4/AddEvent`: which version it is makes no difference.
_VERSION = r"(?:/v?[0-9]{1,4}(?:\.[0-9]{1,4}){0,3})?"


class AnyCaseRoute(BaseRoute):
    """One path. ASCII alone: `\u212a` is a K to Unicode, and no path of ours."""

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
