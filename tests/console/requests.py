"""Requests as the console's parts get them, without a server."""

from collections.abc import Mapping
from typing import Any

from serving.http.request import Request, Target, bearer_token
from serving.http.whole import Body
from tests.clock import START_MILLIS


def request(
    method: str = "GET",
    path: str = "/v1/counts",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    wall_millis: int = START_MILLIS,
) -> Request:
    """By default of the millisecond at which the tests' clock starts."""
    raw = {name.lower().encode(): value.encode() for name, value in (headers or {}).items()}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(
        method,
        Target(path, query.encode()),
        raw,
        bearer_token(raw.get(b"authorization")),
        "127.0.0.1",
        Body({"type": "http"}, receive),
        wall_millis,
        0.0,
    )
