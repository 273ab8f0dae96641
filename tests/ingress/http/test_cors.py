"""Pages of other origins (B5)."""

import json
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from ingress.config import IngressSettings
from tests.ingress.rig import RECORD, Rig, batch, token

PAGE = "https://game.example"
ORIGIN = {"origin": PAGE}
PREFLIGHT = ORIGIN | {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}


@pytest.fixture
def cors() -> Rig:
    return Rig(cors_origins=[PAGE, "capacitor://localhost"])


def cors_headers(headers: Mapping[str, str]) -> set[str]:
    return {name for name in headers if name.startswith("access-control-")}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/limits", 200),
        ("POST", RECORD, 401),
        ("GET", "/x", 404),
        ("GET", RECORD, 401),
        ("GET", "/livez", 200),
    ],
)
async def test_b5_every_reply_to_an_allowed_origin_can_be_read(cors: Rig, method: str, path: str, status: int) -> None:
    """Errors too: a page must be able to read why."""
    answer = await cors.call(method, path, ORIGIN)
    assert (status, PAGE, "Origin") == (
        answer.status,
        answer.headers["access-control-allow-origin"],
        answer.headers["vary"],
    )
    assert (
        "Tallymill-Receipt, Tallymill-Duplicate, Retry-After, X-Request-Id"
        == answer.headers["access-control-expose-headers"]
    )


@pytest.mark.parametrize("path", [RECORD, "/v1/limits", "/v1/receipts/x"])
async def test_b5_a_preflight_is_answered_without_a_token(cors: Rig, path: str) -> None:
    """Browsers send none along."""
    answer = await cors.call("OPTIONS", path, PREFLIGHT)
    assert (204, b"", PAGE) == (answer.status, answer.body, answer.headers["access-control-allow-origin"])
    assert ("GET, HEAD, POST" if path == RECORD else "GET, HEAD") == answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    needed = ["authorization", "content-type", "content-encoding", "prefer", "x-http-method-override", "x-request-id"]
    assert [*needed, "idempotency-key"] == allowed
    assert int(answer.headers["access-control-max-age"]) > 0
    assert {"content-length", "content-type"}.isdisjoint(answer.headers)
    assert ("no-store", True) == (answer.headers["cache-control"], "x-request-id" in answer.headers)


async def test_b5_an_origin_that_is_not_allowed_hears_nothing(cors: Rig) -> None:
    """It does not even learn that CORS is on."""
    for origin in (f"{PAGE}.evil.example", "http://game.example", "https://game.example:8443", "null", ""):
        assert set() == cors_headers((await cors.call("GET", "/v1/limits", {"origin": origin})).headers)
        answer = await cors.call("OPTIONS", RECORD, PREFLIGHT | {"origin": origin})
        assert (405, set()) == (answer.status, cors_headers(answer.headers))
    assert set() == cors_headers((await cors.call("GET", "/v1/limits")).headers)


async def test_b5_cors_is_off_by_default(rig: Rig) -> None:
    """No page gets to read anything."""
    answer = await rig.call("OPTIONS", RECORD, PREFLIGHT)
    assert (405, set()) == (answer.status, cors_headers(answer.headers))


async def test_b5_any_origin_may_be_allowed() -> None:
    """The answer is the same for all, and allows `*`."""
    rig = Rig(cors_origins=["*"])
    answer = await rig.call("GET", "/v1/limits", {"origin": "null"})
    assert "*" == answer.headers["access-control-allow-origin"]


async def test_b5_an_options_request_that_is_no_preflight_is_a_wrong_method(cors: Rig) -> None:
    """And a preflight of a path that isn't there fails."""
    assert 405 == (await cors.call("OPTIONS", RECORD, ORIGIN)).status
    assert 404 == (await cors.call("OPTIONS", "/nowhere", PREFLIGHT)).status


async def test_b5_a_long_reply_varies_by_both(cors: Rig) -> None:
    """One header for each reason."""
    headers = ORIGIN | {"authorization": f"Bearer {token()}"}
    answer = await cors.call("POST", RECORD, headers, [json.dumps(dict.fromkeys("abcdefghijklmnopqrst", 1)).encode()])
    assert (400, True) == (answer.status, len(answer.body) > 1_024)
    assert "Accept-Encoding, Origin" == answer.headers["vary"]


@pytest.mark.parametrize(
    "origin", ["https://game.example/", "game.example", "https://Game.example", "https://*.x/", ""]
)
def test_b5_what_no_browser_would_send_is_no_origin(origin: str) -> None:
    """It would never match, so the start refuses it."""
    with pytest.raises(ValidationError):
        IngressSettings(cors_origins=(origin,))


async def test_b5_a_page_that_is_allowed_records(cors: Rig) -> None:
    """The whole way of a browser: preflight, then the request itself."""
    assert 204 == (await cors.call("OPTIONS", RECORD, PREFLIGHT)).status
    answer = await cors.call("POST", RECORD, ORIGIN | {"authorization": f"Bearer {token()}"}, [batch()])
    assert (200, PAGE) == (answer.status, answer.headers["access-control-allow-origin"])
