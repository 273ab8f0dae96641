"""What holds for every route: errors in Google's shape, ids, no-store, readiness, metrics."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from ingress.config import IngressSettings
from ingress.memory import MemoryRecord
from ingress.server import server_config
from schemas.settings import Limits
from tests.ingress.rig import RECORD, Rig, period, update


@pytest.mark.parametrize("path", [f"{RECORD}/", "/games/v1/eventz", "/", "/V1/limits"])
async def test_b2_an_unknown_path_is_404_and_never_a_redirect(rig: Rig, path: str) -> None:
    answer = await rig.call("POST", path)
    assert (answer.status, answer.json["error"]["errors"][0]["reason"]) == (404, "notFound")


async def test_b1_a_wrong_method_is_405_and_says_what_is_allowed(rig: Rig) -> None:
    answer = await rig.call("PUT", RECORD)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert answer.json["error"]["errors"][0]["reason"] == "httpMethodNotAllowed"
    assert (await rig.call("POST", "/v1/limits")).headers["allow"] == "GET, HEAD"


async def test_b5_every_reply_has_a_request_id_and_is_not_stored(rig: Rig) -> None:
    answers = [await rig.call("GET", path) for path in ("/livez", "/nowhere", RECORD, "/metrics")]
    answers.append(await rig.record(period(update())))
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


async def test_b5_a_clients_own_request_id_is_echoed_if_it_is_harmless(rig: Rig) -> None:
    good = await rig.call("GET", "/livez", {"x-request-id": "abc-1.2_3"})
    bad = await rig.call("GET", "/livez", {"x-request-id": 'x"y'})
    assert good.headers["x-request-id"] == "abc-1.2_3"
    assert bad.headers["x-request-id"] != 'x"y'


async def test_b4_while_draining_replies_close_their_connection_and_requests_still_count(rig: Rig) -> None:
    rig.stopping.draining = True
    answer = await rig.record(period(update()))
    assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_b4_an_idle_connection_is_kept_75_seconds_or_more(rig: Rig) -> None:
    """By default and at least. uvicorn gets the setting."""
    assert 75 <= server_config(IngressSettings(), rig.app).timeout_keep_alive
    assert 300 == server_config(IngressSettings(keep_alive_seconds=300), rig.app).timeout_keep_alive
    with pytest.raises(ValidationError):
        IngressSettings(keep_alive_seconds=74)


async def test_the_limits_are_public() -> None:
    rig = Rig(Limits(max_updates_per_request=12))
    answer = await rig.call("GET", "/v1/limits")
    assert answer.json == json.loads(Limits(max_updates_per_request=12).model_dump_json())


async def test_readyz_names_what_is_missing(rig: Rig) -> None:
    assert (await rig.call("GET", "/readyz")).status == 200
    rig.topic.away, rig.stopping.draining = True, True
    answer = await rig.call("GET", "/readyz")
    assert (answer.status, answer.json["missing"]) == (503, ["kafka", "draining"])
    assert (await rig.call("GET", "/livez")).status == 200


async def test_an_ingress_that_has_not_read_definitions_and_lineages_from_mongodb_is_not_ready() -> None:
    """Before it knows its lineages it would not notice that a log was cut."""
    rig = Rig()
    for read in (rig.games.lineage.read, rig.definitions.preload, rig.analytics.lineage.read):
        assert ["mongodb"] == (await rig.call("GET", "/readyz")).json["missing"]
        await read()
    assert [] == (await rig.call("GET", "/readyz")).json["missing"]


async def test_an_ingress_is_ready_before_there_is_a_lineage() -> None:
    """The first worker makes it, perhaps later than the ingress starts."""
    rig = Rig()
    rig.store.lineage = None
    rig.store.lineages.clear()
    for read in (rig.games.lineage.read, rig.definitions.preload, rig.analytics.lineage.read):
        await read()
    assert [] == (await rig.call("GET", "/readyz")).json["missing"]
    assert rig.games.lineage.current is None


async def test_requests_and_refusals_are_counted(rig: Rig) -> None:
    await rig.record(period(update(), update("NOBODY_KNOWS")))
    await rig.post(b"{")
    assert rig.metric("requests_total", route=RECORD, code="200") == 1
    assert rig.metric("requests_total", route=RECORD, code="400") == 1
    assert rig.metric("refused_total", api="games", cause="NOT_FOUND") == 1
    assert rig.metric("refused_total", api="games", cause="MALFORMED") == 1
    assert rig.metric("publish_seconds_count", api="games") == 1
    assert rig.metric("accepted_to_visible_seconds_count", api="games") == 1
    text = (await rig.call("GET", "/metrics")).body.decode()
    assert "tallymill_ingress_ready 1.0" in text
    assert 'tallymill_ingress_buffer_bytes{api="games"} 0.0' in text


async def test_the_time_of_a_request_is_observed_by_route_and_class_of_status(rig: Rig) -> None:
    """From its head to its reply. The measurements of a record name it as an exemplar."""
    heard = rig.topic._heard

    def slow(record: MemoryRecord) -> None:
        rig.clock.skipped_seconds += 0.3
        heard(record)

    rig.topic._heard = slow
    await rig.record(period(update()))
    await rig.post(b"{")
    await rig.call("GET", "/nowhere")
    found = [
        (route, status, rig.metric("request_seconds_sum", route=route, status=status))
        for route, status in ((RECORD, "2xx"), (RECORD, "4xx"), ("other", "4xx"))
    ]
    assert [(RECORD, "2xx", 0.3), (RECORD, "4xx", 0), ("other", "4xx", 0)] == [
        (route, status, seconds and round(seconds, 6)) for route, status, seconds in found
    ]
    in_time = [rig.metric("request_seconds_bucket", route=RECORD, status="2xx", le=le) for le in ("0.25", "0.5")]
    assert [0, 1] == in_time
    (record,) = rig.topic.records
    text = (await rig.call("GET", "/metrics", {"accept": "application/openmetrics-text"})).body.decode()
    exemplars = [
        line for line in text.splitlines() if f'# {{record="r1/{record.partition:02}/{record.offset}"}}' in line
    ]
    names = {line.partition("{")[0] for line in exemplars}
    prefix = "tallymill_ingress_"
    assert {f"{prefix}publish_seconds_bucket", f"{prefix}accepted_to_visible_seconds_bucket"} == names


async def test_nothing_is_stored_in_the_scope_of_a_request(rig: Rig) -> None:
    """It belongs to the server; only starlette's router adds to it."""
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/receipts/x", "query_string": b"fields=a&b=c"}
    scope |= {"headers": [(b"authorization", b"Bearer x")], "client": ("203.0.113.7", 80)}
    before = set(scope)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        pass

    await rig.app(scope, receive, send)
    routers = {"app", "app_root_path", "endpoint", "path_params", "root_path", "route", "router"}
    assert set() == set(scope) - before - routers
