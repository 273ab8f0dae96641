"""What supervisors and scrapers read of every process: /livez, /readyz and /metrics."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from serving.exposition import exposition
from serving.headers import RawHeader
from serving.http.replies import json_reply
from serving.http.reply import Reply
from serving.http.request import Endpoint, Request


class Missing(NamedTuple):
    """What keeps a process from being ready: a word for programs, and perhaps a sentence for people."""

    what: str
    why: str = ""


def missing_of(conditions: Mapping[str, bool]) -> list[Missing]:
    """The conditions that do not hold."""
    return [Missing(name) for name, holds in conditions.items() if not holds]


def live(is_alive: Callable[[], bool], *, field: str = "live", spaced: bool = False) -> Endpoint:
    """`GET /livez`: 503 if the process should be restarted."""

    async def reply(_request: Request) -> Reply:
        found = is_alive()
        return json_reply(200 if found else 503, {field: found}, spaced=spaced)

    return reply


def ready(
    missing: Callable[[], Sequence[Missing]], *, headers: tuple[RawHeader, ...] = (), spaced: bool = False
) -> Endpoint:
    """`GET /readyz`: whether requests should be sent here. `headers`: those of a 503."""

    async def reply(_request: Request) -> Reply:
        found = missing()
        body: dict[str, object] = {"ready": not found, "missing": [one.what for one in found]}
        if reasons := [one.why for one in found if one.why]:
            body["reasons"] = reasons
        return json_reply(503, body, spaced=spaced).having(*headers) if found else json_reply(200, body, spaced=spaced)

    return reply


def metrics(registry: CollectorRegistry) -> Endpoint:
    """`GET /metrics`, in the format that the scraper prefers."""

    async def reply(request: Request) -> Reply:
        content_type, text = exposition(registry, request.headers.get(b"accept", b""))
        return Reply(200, text, ((b"content-type", content_type.encode()), (b"vary", b"Accept")))

    return reply
