"""The app that console and worker serve their paths with."""

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from serving.http.get_routes import GetRoutes
from serving.http.probes import Missing, live, metrics, ready
from serving.http.reply import Reply
from serving.http.request import Request
from tests.clock import TestClock


async def broken(_request: Request) -> Reply:
    raise ZeroDivisionError


async def get(app: GetRoutes, path: str, method: str = "GET", *headers: tuple[bytes, bytes]) -> Any:  # noqa: ANN401 JSON
    """Status, headers and body."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        assert headers, "no body was announced"
        assert sent[-1]["more_body"], "the reply goes first"
        return {"type": "http.request", "body": b"hello", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"method": method, "path": path, "headers": headers, "query_string": b""}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def routes(missing: list[Missing]) -> GetRoutes:
    endpoints = {
        "/livez": live(lambda: not missing, field="alive", spaced=True),
        "/readyz": ready(lambda: missing, spaced=True),
        "/metrics": metrics(CollectorRegistry()),
        "/broken": broken,
    }
    return GetRoutes(endpoints, TestClock())


async def test_a_process_that_is_ready_names_nothing() -> None:
    app = routes([])
    assert (200, b'{"ready": true, "missing": []}') == (await get(app, "/readyz"))[::2]
    assert (200, b'{"alive": true}') == (await get(app, "/livez"))[::2]


async def test_what_is_missing_has_a_word_and_perhaps_a_sentence() -> None:
    body = b'{"ready": false, "missing": ["kafka"], "reasons": ["no broker answers"]}'
    assert (503, body) == (await get(routes([Missing("kafka", "no broker answers")]), "/readyz"))[::2]
    assert (503, b'{"ready": false, "missing": ["keys"]}') == (await get(routes([Missing("keys")]), "/readyz"))[::2]
    assert (503, b'{"alive": false}') == (await get(routes([Missing("keys")]), "/livez"))[::2]


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/x", "GET", 404), ("/livez", "POST", 405), ("/broken", "GET", 500)]
)
async def test_an_error_has_googles_body_and_the_headers_of_every_reply(path: str, method: str, status: int) -> None:
    found, headers, body = await get(routes([]), path, method)
    assert (status, status) == (found, json.loads(body)["error"]["code"])
    assert (b"no-store", 16) == (headers[b"cache-control"], len(headers[b"x-request-id"]))
    assert (b"GET, HEAD" if status == 405 else None) == headers.get(b"allow")
    assert b"ZeroDivisionError" not in body


async def test_a_body_that_is_not_read_closes_the_connection() -> None:
    _, headers, _ = await get(routes([]), "/livez", "GET", (b"content-length", b"5"))
    assert b"close" == headers[b"connection"]
    assert b"connection" not in (await get(routes([]), "/livez"))[1]
