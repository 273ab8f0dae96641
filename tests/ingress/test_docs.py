"""The document and the page that an ingress serves, and that the document is true."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route as AppRoute

from ingress.analytics.replies import analytics_refusal
from ingress.app import Routes
from ingress.http.any_case import AnyCaseRoute
from ingress.http.pipeline import Served
from schemas.errors.row import By
from schemas.errors.table import Refusal
from schemas.openapi.document import openapi_document
from schemas.openapi.export import FOLDER
from schemas.openapi.routes import ROUTES
from schemas.wire.errors import ErrorBody
from schemas.wire.malformed import Violation
from serving.http.replies import refusal_reply
from tests.ingress.rig import Rig

# The page's own files: no part of the API.
ASSETS = "/docs/{name}"


class Named(HTMLParser):
    """What a page names, and whether anything on it is inline."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.urls += [url for name in ("src", "href") if (url := attributes.get(name))]
        if tag == "style" or (tag == "script" and "src" not in attributes):
            self.inline.append(tag)
        self.inline += [name for name in attributes if name == "style" or name.startswith("on")]


async def test_the_document_is_served_as_it_is_committed(rig: Rig) -> None:
    """Byte for byte, and without a token."""
    answer = await rig.call("GET", "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.body == (FOLDER / "openapi.json").read_bytes()


async def test_the_page_and_all_that_it_names_are_served_here(rig: Rig) -> None:
    """It works without any other host: the links are relative and lead to existing files."""
    page = await rig.call("GET", "/docs")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = Named(page.body.decode())
    assert len(named.urls) > 3
    for url in named.urls:
        if url == "data:,":
            continue
        assert re.fullmatch(r"[a-z][a-z./-]+", url), "relative"
        assert (await rig.call("GET", f"/{url}")).status == 200
    assert (await rig.call("GET", "/docs/openapi.json")).status == 404


async def test_a_browser_is_held_to_this_host(rig: Rig) -> None:
    """Content-Security-Policy: nothing but 'self', nothing inline but styles, no eval; and no sniffing."""
    page = await rig.call("GET", "/docs")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"https?:|\*|unsafe-eval", page.headers["content-security-policy"])
    assert Named(page.body.decode()).inline == []
    assert page.headers["x-content-type-options"] == "nosniff"


async def test_the_pages_files_have_their_types_and_ask_no_other_host(rig: Rig) -> None:
    """The style sheet loads nothing. The script's validator, which would send the document to another host, is off."""
    script = await rig.call("GET", "/docs/swagger-ui-bundle.js")
    style = await rig.call("GET", "/docs/swagger-ui.css")
    start = await rig.call("GET", "/docs/start.js")
    assert script.headers["content-type"] == start.headers["content-type"] == "text/javascript; charset=utf-8"
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert not re.search(rb"@import|url\(\s*[\"']?(?!data:|[\"']?data:)", style.body)
    assert b"validatorUrl: null" in start.body
    assert b'url: "openapi.json"' in start.body
    assert b"//" not in start.body
    assert b"http:" not in start.body
    assert b"openapi" in script.body


@pytest.mark.parametrize("name", ["index.html", "swagger-ui.css.map", "..", "%2e%2e", "swagger-ui.css/", ""])
async def test_nothing_else_is_served_beside_the_page(rig: Rig, name: str) -> None:
    """Files are known by name; no path of the machine is reached."""
    assert (await rig.call("GET", f"/docs/{name}")).status == 404


async def test_the_document_has_just_the_routes_of_the_app() -> None:
    """One entry in schemas/openapi/routes.py for each method of each path."""
    router = Rig().app
    assert isinstance(router, Routes)
    routes = [route for route in router.routes if isinstance(route, AppRoute | AnyCaseRoute)]
    served = {route.path: route.endpoint for route in routes if isinstance(route.endpoint, Served)}
    methods = {
        (path.replace("{request_id}", "{requestId}"), method.lower())
        for path, endpoint in served.items()
        for method in endpoint.endpoints
        if method != "HEAD" and path != ASSETS
    }
    assert methods == {(route.path, route.method) for route in ROUTES}


GOOGLES = [one for one in Refusal if By.INGRESS in one.value.by]
ANALYTICS = [one for one in Refusal if one.value.analytics and one is not Refusal.NOT_FOUND]


@pytest.mark.parametrize("refusal", GOOGLES)
def test_every_refusal_is_in_the_document(refusal: Refusal) -> None:
    """HTTP code, status and reason; and the headers it always has."""
    row = refusal.value
    responses = openapi_document()["components"]["responses"].values()
    (response,) = [one for one in responses if row_of(one) == (row.code, row.status, row.reason)]
    assert row.message in response["description"]
    sent = {name.decode() for name, _ in refusal_reply(refusal).headers}
    assert required_headers(response) - by_request(refusal) <= sent


@pytest.mark.parametrize("refusal", ANALYTICS)
def test_every_refusal_of_the_analytics_api_is_in_the_document(refusal: Refusal) -> None:
    """HTTP status, StatusCode and Severity; and the headers it always has."""
    reply = analytics_refusal(refusal)
    body = json.loads(reply.body)
    document = openapi_document()
    reference = document["paths"]["/AddEvent"]["post"]["responses"][str(reply.status)]["$ref"]
    response = document["components"]["responses"][reference.rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    said = Draft202012Validator({"components": document["components"], **schema})
    assert said.is_valid(body), reply.body
    assert body["StatusMessage"] in response["description"]
    assert required_headers(response) - by_request(refusal) <= {name.decode() for name, _ in reply.headers}


def test_an_error_without_an_analytics_answer_is_named() -> None:
    """An answer of another shape would mislead the client."""
    with pytest.raises(LookupError, match="OTHER_APP"):
        analytics_refusal(Refusal.OTHER_APP)


def required_headers(response: dict[str, Any]) -> set[str]:
    """Each request adds X-Request-Id and Cache-Control."""
    referred = {"x-request-id", "cache-control"}
    return {name.lower() for name, header in response["headers"].items() if header.get("required")} - referred


def by_request(refusal: Refusal) -> set[str]:
    """The headers whose values depend on the request."""
    return {name for name, value in refusal.value.headers if value is None}


def row_of(response: dict[str, Any]) -> tuple[int, str, str] | None:
    """Google's error body of a response in the document; None for the other API."""
    fixed = response["content"]["application/json"]["schema"]["allOf"][1]["properties"]
    if "error" not in fixed:
        return None
    error = fixed["error"]["properties"]
    reason = error["errors"]["items"]["properties"]["reason"]
    return error["code"]["const"], error["status"]["const"], reason["const"]


@pytest.mark.parametrize("refusal", list(Refusal))
@pytest.mark.parametrize("violations", [(), (Violation(field="requestId", description="Field required"),)])
def test_every_error_body_is_the_model(refusal: Refusal, violations: tuple[Violation, ...]) -> None:
    """The answers are as the document describes them."""
    body = ErrorBody.model_validate_json(refusal_reply(refusal, violations).body)
    assert body.error.code == refusal.value.code
    assert bool(body.error.details) == bool(violations)
