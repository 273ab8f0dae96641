"""The OpenAPI document: true to its standard, to the models, and to itself. Committed: test_export."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from schemas.analytics.body import JSON_TYPE, MalformedAnalytics, parse_analytics, read_sent
from schemas.analytics.sessions import parse_session
from schemas.documents import utc
from schemas.games.body import parse_request
from schemas.openapi.console_routes import CONSOLE
from schemas.openapi.document import openapi_document
from schemas.openapi.route import Described
from schemas.openapi.routes import INGRESS, ROUTES
from schemas.records.envelope import rfc3339
from schemas.wire.errors import ErrorBody
from schemas.wire.malformed import MalformedBody
from schemas.wire.replies import ReceiptReply, RequestReply
from tests.samples import NOW

Document = dict[str, Any]

DOCUMENT = openapi_document()
of_each_process = pytest.mark.parametrize(
    ("api", "document"),
    [(INGRESS, DOCUMENT), (CONSOLE, openapi_document(CONSOLE))],
    ids=["ingress", "console"],
)


def operations(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def validator(schema: dict[str, Any], document: Document = DOCUMENT) -> Draft202012Validator:
    """Of a schema of the document; what it refers to lies in the document."""
    return Draft202012Validator({"components": document["components"], **schema})


def contents(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body that is described, with where."""
    for name, operation in operations(document):
        if "requestBody" in operation:
            yield name, operation["requestBody"]["content"]["application/json"]
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                yield f"{name} {status}", content


@of_each_process
def test_the_document_is_openapi_3_1(api: Described, document: Document) -> None:
    """By the standard's own schema, and every reference resolves."""
    assert [] == [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert api.title == document["info"]["title"]
    assert document["openapi"].startswith("3.1.")


@of_each_process
def test_every_example_is_what_its_schema_says(api: Described, document: Document) -> None:
    """Who copies one gets what is described."""
    examples = [
        (f"{where} {name}", content["schema"], example["value"])
        for where, content in contents(document)
        for name, example in content.get("examples", {}).items()
    ]
    assert len(examples) > (8 if api is INGRESS else 1)
    assert [] == [where for where, schema, value in examples if not validator(schema, document).is_valid(value)]


@of_each_process
def test_every_required_parameter_has_an_example_that_is_what_its_schema_says(
    api: Described, document: Document
) -> None:
    """Path parameters are required too."""
    assert api.routes
    parameters = [parameter for _, operation in operations(document) for parameter in operation.get("parameters", ())]
    required = [p for p in parameters if p["required"]]
    assert required
    assert [] == [p["name"] for p in required if not validator(p["schema"]).is_valid(p["example"])]


@of_each_process
def test_no_optional_parameter_has_an_example(api: Described, document: Document) -> None:
    """Swagger UI sends an example as if it had been typed: a second request with one Idempotency-Key counts nothing."""
    assert api.routes
    parameters = [parameter for _, operation in operations(document) for parameter in operation.get("parameters", ())]
    prefilled = {"example", "examples"}
    assert [] == [p["name"] for p in parameters if not p["required"] and prefilled & (set(p) | set(p["schema"]))]


def test_the_examples_of_batches_are_batches() -> None:
    """By the parser that an ingress uses."""
    body = ROUTES[0].input.body
    assert body is not None
    for example in body.examples.values():
        assert parse_request(json.dumps(example).encode()).request_id


@pytest.mark.parametrize("path", [route.path for route in ROUTES])
def test_every_path_parameter_is_described(path: str) -> None:
    """And each answer has the two headers that every reply has."""
    for operation in DOCUMENT["paths"][path].values():
        named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


@of_each_process
def test_every_answer_names_the_headers_that_every_reply_has(api: Described, document: Document) -> None:
    """X-Request-Id and Cache-Control (B5), in the shared error answers too."""
    assert api.routes
    responses = [r for _, op in operations(document) for r in op["responses"].values() if "$ref" not in r]
    for response in [*responses, *document["components"]["responses"].values()]:
        assert {"X-Request-Id", "Cache-Control"} <= set(response["headers"])


@of_each_process
def test_what_asks_for_a_token_takes_any_of_its_scopes_and_says_401_and_403(api: Described, document: Document) -> None:
    """Alternatives, not all at once; a token in the body is one."""
    refused_all_the_same = ("/v1/sessions", "/v1/session", "/logout")
    for route in api.routes:
        operation = document["paths"][route.path][route.method]
        in_body: list[dict[str, Any]] = (
            [{"bearer": []}, {}] if route.access.token_in_body or route.access.optional else []
        )
        assert [{"bearer": [scope]} for scope in route.access.scopes] + in_body == operation.get("security", [])
        assert bool(route.access.scopes or in_body) == ("401" in operation["responses"])
        assert bool(route.access.scopes or in_body or route.path in refused_all_the_same) == (
            "403" in operation["responses"]
        )


@of_each_process
def test_operations_are_called_by_names_of_their_own(api: Described, document: Document) -> None:
    """Generated clients name their functions so."""
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names)) == len(api.routes)


@pytest.mark.parametrize(
    ("body", "is_valid"),
    [
        ({"requestId": "7"}, True),
        ({"requestId": -7, "timePeriods": None, "currentTimeMillis": None, "kind": "x"}, True),
        ({"requestId": "0"}, False),
        ({"requestId": 0}, False),
        ({"requestId": "-0"}, False),
        ({"requestId": None}, False),
        ({"requestId": "007"}, False),
        ({"requestId": 7.5}, False),
        ({"requestId": "7", "currentTimeMillis": "-1"}, False),
        ({"requestId": "7", "currentTimeMillis": -1}, False),
        ({"requestId": "7", "odd": 1}, False),
        ({}, False),
    ],
)
def test_the_schema_of_a_batch_takes_what_the_parser_takes(body: dict[str, Any], *, is_valid: bool) -> None:
    """G3, G4, G5: a client that checks by the document is not surprised."""
    schema = validator({"$ref": "#/components/schemas/EventRecordRequest"})
    assert schema.is_valid(body) is is_valid
    try:
        parse_request(json.dumps(body).encode())
    except ValueError:
        assert not is_valid
    else:
        assert is_valid


@pytest.mark.parametrize("path", ["/AddEvent", "/AddEventBatch"])
def test_the_examples_of_pools_are_pools(path: str) -> None:
    """By the parser that ingress and worker use; the document's own among them."""
    (route,) = (one for one in ROUTES if one.path == path)
    assert route.input.body is not None
    for example in route.input.body.examples.values():
        sent = read_sent(json.dumps(example).encode(), JSON_TYPE)
        batch = parse_analytics(sent, single=path == "/AddEvent")
        assert batch.items
        assert not batch.bad


_ITEM = {"Timestamp": "1790000000", "Event": "A"}


@pytest.mark.parametrize(
    ("fields", "is_valid"),
    [
        ({"eventData": [_ITEM]}, True),
        ({"eventData": _ITEM, "Token": None, "requestId": None, "mediaInfo": None, "odd": 1}, True),
        ({"eventData": json.dumps(_ITEM)}, True),
        ({"eventData": [_ITEM | {"Data": {"a": [1]}, "odd": 1}, _ITEM | {"Data": [{"a": 1}]}]}, True),
        ({}, False),
        ({"eventData": None}, False),
        ({"eventData": 7}, False),
        ({"eventData": [7]}, False),
        ({"eventData": [_ITEM], "Token": 7}, False),
        ({"eventData": [_ITEM], "requestId": ""}, False),
        ({"eventData": [_ITEM], "requestId": "x" * 129}, False),
        ({"eventData": [_ITEM], "mediaInfo": {}}, False),
        ({"eventData": [{"Event": "A"}]}, False),
        ({"eventData": [_ITEM | {"Timestamp": None}]}, False),
        ({"eventData": [_ITEM | {"Timestamp": True}]}, False),
        ({"eventData": [_ITEM | {"Event": ""}]}, False),
        ({"eventData": [_ITEM | {"Data": [1]}]}, False),
        ({"eventData": [_ITEM | {"Data": 1}]}, False),
    ],
)
def test_the_schema_of_a_pool_takes_what_the_parser_takes(fields: dict[str, Any], *, is_valid: bool) -> None:
    """What it refuses the parser refuses; the parser looks closer at texts."""
    schema = validator({"$ref": "#/components/schemas/AddEventBatchRequest"})
    assert schema.is_valid(fields) is is_valid
    try:
        taken = not parse_analytics(read_sent(json.dumps(fields).encode(), JSON_TYPE)).bad
    except MalformedAnalytics:
        taken = False
    assert taken is is_valid


@pytest.mark.parametrize(
    ("body", "field"), [(b"{}", "app"), (b'{"app":"a b"}', "app"), (b"[]", ""), (b'{"app":"a","x":1}', "x")]
)
def test_a_session_is_asked_for_by_its_app_alone(body: bytes, field: str) -> None:
    """What is wrong is named."""
    assert "demo" == parse_session(b'{"app":"demo"}').app
    with pytest.raises(MalformedBody) as error:
        parse_session(body)
    assert [field] == [one.field for one in error.value.violations]


def test_replies_are_read_back_by_their_models() -> None:
    """As the ingress writes them; a time without a zone, or a field more, is none of ours."""
    at = rfc3339(NOW)
    assert RequestReply.model_validate({"requestId": "7", "state": "applied", "at": at}).at == utc(NOW)
    assert ReceiptReply.model_validate({"receipt": "r", "state": "dead", "cause": "OVERFLOW"}).state == "dead"
    with pytest.raises(ValueError, match="extra"):
        ErrorBody.model_validate({"error": {}, "extra": 1})
