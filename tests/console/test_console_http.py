"""The routes of the console over HTTP: who may read, what is refused, and how (Q1, Q2, Q9, Q10)."""

import asyncio
from collections.abc import Mapping

import pytest

from console.memory import FIRST_SECOND, MemoryStore
from console.metrics import Metrics
from console.ports import TooSlow, Unavailable
from schemas.records.envelope import rfc3339
from tests.console.rig import DAY, MIDNIGHT, Rig, event, period_counts, read_token

RANGE: dict[str, object] = {"source": "games", "from": MIDNIGHT, "to": MIDNIGHT + DAY}


async def test_q5_counts_are_answered_as_documented() -> None:
    """With the fields that dashboards read."""
    rig = Rig()
    rig.store.counts |= period_counts([(MIDNIGHT, "A", 2**60)], 0) | period_counts([(MIDNIGHT, "A", 1)], 1)
    answer = await rig.get("/v1/counts", RANGE | {"app": "demo", "step": "minute"})
    rows = [{"at": "2026-11-23T00:00:00.000Z", "event": "A", "count": 2**60 + 1}]
    as_of = rfc3339((FIRST_SECOND + 1) * 1000)
    about = {"basis": "counted", "app": "demo", "source": "games", "step": "minute"}
    assert {**about, "rows": rows, "asOf": as_of} == answer.json
    assert "application/json; charset=utf-8" == answer.headers["content-type"]


async def test_q7_events_are_answered_as_documented() -> None:
    """With every field that is stored."""
    rig = Rig()
    rig.store.stored = {"demo/ann/a": event("a", MIDNIGHT, clock="future", extra={"x": 1})}
    (found,) = (await rig.get("/v1/events", {"actor": "ann"})).json["events"]
    assert "future" == found["clock"]
    assert {"x": 1} == found["extra"]
    assert {"basis": "counted", "app": "demo", "events": [found]} == (
        await rig.get("/v1/events", {"actor": "ann"})
    ).json


async def test_q2_the_app_is_the_tokens_and_another_is_403() -> None:
    """The parameter `app` may repeat the app, but not change it."""
    rig = Rig()
    rig.store.counts |= period_counts([(MIDNIGHT, "A", 1)], app="other")
    assert [] == (await rig.get("/v1/counts", RANGE)).json["rows"]
    refused = await rig.get("/v1/counts", RANGE | {"app": "other"})
    assert (403, "insufficientPermissions") == (refused.status, refused.reason)
    assert 1 == len((await rig.get("/v1/counts", RANGE | {"app": "other"}, read_token(app="other"))).json["rows"])


async def test_q2_a_token_without_the_scope_is_403_and_none_is_401() -> None:
    """The scope of the games API does not allow reading."""
    rig = Rig()
    recording = await rig.get("/v1/counts", RANGE, read_token(scope="https://www.googleapis.com/auth/games"))
    assert (403, "insufficientPermissions") == (recording.status, recording.reason)
    nobody = await rig.call("GET", "/v1/counts", "source=games", {})
    assert (401, "authError") == (nobody.status, nobody.reason)
    assert nobody.headers["www-authenticate"].startswith("Bearer ")
    in_query = await rig.call("GET", "/v1/counts", f"access_token={read_token()}")
    assert 401 == in_query.status


async def test_q1_the_token_is_checked_before_the_query_and_the_query_before_the_app() -> None:
    """A client without permission learns nothing about the query."""
    rig = Rig()
    assert 401 == (await rig.get("/v1/counts", {"nonsense": 1}, "x")).status
    assert 403 == (await rig.get("/v1/counts", {"nonsense": 1}, read_token(scope="x"))).status
    assert 400 == (await rig.get("/v1/counts", {"nonsense": 1, "app": "other"})).status
    rig.store.failure = Unavailable
    assert 403 == (await rig.get("/v1/counts", RANGE | {"app": "other"})).status


async def test_q3_a_bad_query_names_its_parameters_in_googles_error_body() -> None:
    """As the reply of the ingress names the fields of a body."""
    answer = await Rig().get("/v1/counts", {"source": "x", "to": "y"})
    assert (400, "badRequest", "INVALID_ARGUMENT") == (answer.status, answer.reason, answer.json["error"]["status"])
    assert ["source", "from", "to"] == answer.fields
    assert ["source", "from", "to"] == (await Rig().get("/v1/counts", {"source": "x"})).fields


@pytest.mark.parametrize(("path", "q"), [("/v1/counts", RANGE), ("/v1/events", {"actor": "ann"})])
async def test_q10_mongodb_unavailable_is_503_and_a_slow_query_504(path: str, q: dict[str, object]) -> None:
    """Only the first is worth a retry."""
    rig = Rig()
    rig.store.failure = Unavailable
    away = await rig.get(path, q)
    assert (503, "1", "UNAVAILABLE") == (away.status, away.headers["retry-after"], away.json["error"]["status"])
    assert "details" not in away.json["error"]
    rig.store.failure = TooSlow
    slow = await rig.get(path, q)
    assert (504, "DEADLINE_EXCEEDED") == (slow.status, slow.json["error"]["status"])
    assert "retry-after" not in slow.headers


class HeldUp(MemoryStore):
    """Answers a ping only when `go_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def ping(self) -> None:
        self.asked.set()
        await self.go_on.wait()


async def test_q9_a_request_that_waits_too_long_for_its_turn_is_503() -> None:
    """Most of MongoDB is left to the workers."""
    store = HeldUp()
    rig = Rig(store, max_concurrent_queries=1, query_timeout_seconds=0.05)
    first = asyncio.create_task(rig.get("/v1/events", {"actor": "ann"}))
    await store.asked.wait()
    busy = await rig.get("/v1/events", {"actor": "ann"})
    assert (503, "1") == (busy.status, busy.headers["retry-after"])
    assert 1 == rig.metrics.registry.get_sample_value("tallymill_console_queries")
    store.go_on.set()
    assert 200 == (await first).status
    assert 200 == (await rig.get("/v1/events", {"actor": "ann"})).status


@pytest.mark.parametrize("path", ["//", "/v1/counts/", "/V1/counts", "/v1"])
async def test_q10_an_unknown_path_is_404_and_never_a_redirect(path: str) -> None:
    """Clients raise on a redirect."""
    answer = await Rig().get(path)
    assert (404, "notFound") == (answer.status, answer.reason)


async def test_q10_another_method_is_405_and_says_which_is_right() -> None:
    """All routes are read-only."""
    answer = await Rig().call("POST", "/v1/counts")
    assert (405, "httpMethodNotAllowed") == (answer.status, answer.reason)
    assert {"GET", "HEAD"} == set(answer.headers["allow"].replace(" ", "").split(","))


async def test_q10_every_reply_has_an_id_and_is_not_to_be_stored() -> None:
    """A client's own id is repeated if it is safe in a log."""
    rig = Rig()
    for path in ("/livez", "/v1/counts", "/nothing"):
        answer = await rig.call("GET", path)
        assert 16 == len(answer.headers["x-request-id"])
        assert "no-store" == answer.headers["cache-control"]
    assert "mine-1" == (await rig.get("/livez", headers={"x-request-id": "mine-1"})).headers["x-request-id"]
    assert "a b" != (await rig.get("/livez", headers={"x-request-id": "a b"})).headers["x-request-id"]


async def test_q10_a_bug_is_500_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback is in the log."""
    rig = Rig()
    monkeypatch.setattr(rig.store, "counts", None)
    answer = await rig.get("/v1/counts", RANGE)
    assert (500, "INTERNAL") == (answer.status, answer.json["error"]["status"])
    assert b"Traceback" not in answer.body
    assert 16 == len(answer.headers["x-request-id"])


async def test_it_is_ready_when_keys_and_mongodb_are_there_and_not_while_it_drains() -> None:
    """/readyz names what is missing."""
    rig = Rig()
    assert (503, ["mongodb"]) == await missing(rig)
    await rig.watch.check()
    assert (200, []) == await missing(rig)
    rig.stopping.draining = True
    assert (503, ["draining"]) == await missing(rig)
    assert "close" == (await rig.get("/livez")).headers["connection"]
    rig.store.failure = Unavailable
    await rig.watch.check()
    assert (503, ["mongodb", "draining"]) == await missing(rig)


async def missing(rig: Rig) -> tuple[int, list[str]]:
    answer = await rig.get("/readyz")
    return answer.status, answer.json["missing"]


async def test_metrics_say_what_was_asked_and_read() -> None:
    """By route. Unknown paths share one label, so clients cannot add labels."""
    rig = Rig()
    rig.store.counts |= period_counts([(MIDNIGHT, "A", 1), (MIDNIGHT, "B", 1)])
    for path in ("/v1/counts", "/made-up"):
        await rig.get(path, RANGE)
    assert (1, 2) == (asked(rig.metrics, "/v1/counts", 200), sample(rig.metrics, "documents_read_total"))
    assert 1 == asked(rig.metrics, "other", 404)
    assert b"tallymill_console_query_seconds_count" in (await rig.get("/metrics")).body


def asked(metrics: Metrics, route: str, code: int) -> float | None:
    labels = {"route": route, "code": str(code)}
    return metrics.registry.get_sample_value("tallymill_console_requests_total", labels)


def sample(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(f"tallymill_console_{name}", {"route": "/v1/counts"})


PAGE = "https://dashboard.example"
PREFLIGHT = {"origin": PAGE, "access-control-request-method": "GET", "access-control-request-headers": "authorization"}


def cors_headers(headers: Mapping[str, str]) -> set[str]:
    return {name for name in headers if name.startswith("access-control-")}


@pytest.mark.parametrize(("path", "status"), [("/v1/counts", 200), ("/v1/events", 400), ("/x", 404), ("/livez", 200)])
async def test_b5_q10_every_reply_to_a_page_that_is_allowed_can_be_read(path: str, status: int) -> None:
    """Errors too, so that a dashboard can show them."""
    answer = await Rig(cors_origins=[PAGE]).get(path, RANGE, headers={"origin": PAGE})
    shown = [answer.headers[name] for name in ("access-control-allow-origin", "access-control-expose-headers", "vary")]
    exposed = "ETag, Retry-After, X-Request-Id, Tallymill-As-Of, Tallymill-Next-Page-Token"
    assert (status, [PAGE, exposed]) == (answer.status, shown[:2])
    assert "Origin" in shown[2]


@pytest.mark.parametrize("path", ["/v1/counts", "/v1/events", "/openapi.json"])
async def test_b5_q10_a_preflight_is_answered_without_a_token(path: str) -> None:
    """A browser sends the preflight without the Authorization header that it asks for."""
    answer = await Rig(cors_origins=[PAGE]).call("OPTIONS", path, headers=PREFLIGHT)
    assert (204, b"", PAGE) == (answer.status, answer.body, answer.headers["access-control-allow-origin"])
    allowed = answer.headers["access-control-allow-methods"], answer.headers["access-control-allow-headers"]
    assert ("GET, HEAD", "authorization, if-none-match, x-request-id") == allowed
    assert ("no-store", True) == (answer.headers["cache-control"], "x-request-id" in answer.headers)


async def test_b5_q10_a_page_that_is_not_allowed_gets_no_cors_headers() -> None:
    """No page is allowed by default. Preflights of probes and of unknown paths are refused in any case."""
    rig = Rig(cors_origins=[PAGE])
    for one, origin in ((rig, f"{PAGE}.evil.example"), (rig, "null"), (Rig(), PAGE)):
        assert set() == cors_headers((await one.get("/v1/counts", RANGE, headers={"origin": origin})).headers)
        answer = await one.call("OPTIONS", "/v1/counts", headers=PREFLIGHT | {"origin": origin})
        assert (405, set()) == (answer.status, cors_headers(answer.headers))
    for path, status in (("/livez", 405), ("/nowhere", 404)):
        assert status == (await rig.call("OPTIONS", path, headers=PREFLIGHT)).status
    no_preflight = await rig.call("OPTIONS", "/v1/counts", headers={"origin": PAGE})
    assert 405 == no_preflight.status


async def test_b5_q10_any_page_may_be_allowed() -> None:
    """The reply then is the same for all pages: `*`."""
    answer = await Rig(cors_origins=["*"]).get("/v1/counts", RANGE, headers={"origin": PAGE})
    assert "*" == answer.headers["access-control-allow-origin"]
