"""Writes the OpenAPI 3.1 document from a table of routes, the table of errors, and the JSON Schemas of the models."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.openapi.error_responses import ErrorResponse, analytics_responses, google_responses
from schemas.openapi.examples import Example
from schemas.openapi.route import ANYWHERE, JSON, Answer, Body, Described, Parameter, Route
from schemas.openapi.routes import INGRESS
from schemas.wire.errors import ErrorBody

Json = dict[str, Any]

REF_TEMPLATE = "#/components/schemas/{model}"
API_VERSION = version("tallymill")

# Every reply has the first two (B5).
_HEADERS: dict[str, Json] = {
    "X-Request-Id": {
        "description": "The X-Request-Id of the request if it matches the pattern, otherwise a new one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "Cache-Control": {"schema": {"type": "string", "const": "no-store"}},
    "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[1-9][0-9]*$"}},
    "Tallymill-Receipt": {
        "description": "Identifies the record. `GET /v1/receipts/{receipt}` returns the state of the batch.",
        "schema": {"type": "string"},
    },
    "Tallymill-Duplicate": {
        "description": "All events of the request were registered before.",
        "schema": {"type": "string", "const": "true"},
    },
    "Server-Timing": {
        "description": "Milliseconds since the request arrived. `accepted`: until Kafka stored it; `visible`: "
        "until it was counted.",
        "schema": {"type": "string"},
    },
    "Tallymill-As-Of": {"description": "With CSV: `asOf`.", "schema": {"type": "string", "format": "date-time"}},
    "Tallymill-Next-Page-Token": {"description": "With CSV: `nextPageToken`.", "schema": {"type": "string"}},
    "Vary": {"schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "RFC 6750.", "schema": {"type": "string", "pattern": "^Bearer "}},
    "Allow": {"schema": {"type": "string"}},
    "Accept-Encoding": {"description": "The supported encodings of a body.", "schema": {"type": "string"}},
}
_ALWAYS = ("X-Request-Id", "Cache-Control")
_CACHED: dict[str, Json] = {
    "Cache-Control": {"schema": {"type": "string", "const": "no-cache"}},
    "ETag": {"description": "Changes with the answer.", "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'}},
}


def openapi_document(api: Described = INGRESS) -> Json:
    """The document of the API of one process."""
    errors = {name: error for route in api.routes for name, error in _errors(route, api).items()}
    paths: dict[str, Json] = {}
    for route in api.routes:
        paths.setdefault(route.path, {})[route.method] = _operation(route, _errors(route, api).values())
    return {
        "openapi": "3.1.0",
        "info": {"title": api.title, "version": API_VERSION, "description": api.introduction},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": description} for name, description in api.tags.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas(api.routes),
            "responses": {name: _error_response(error) for name, error in sorted(errors.items())},
            "headers": {name: {**_HEADERS[name], "required": True} for name in _ALWAYS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": api.bearer}
            },
        },
    }


def _errors(route: Route, api: Described) -> dict[str, ErrorResponse]:
    """The error responses of a route, by name."""
    if route.family == "analytics":
        return analytics_responses()
    kinds = (*route.errors, *(() if route.family == "probe" else api.not_a_probe), *ANYWHERE)
    return {response.name: response for response in google_responses(api.by) if response.kind in kinds}


def _schemas(routes: Iterable[Route]) -> Json:
    """The schemas of all models: requests as the server reads them, replies as it writes them."""
    read = [route.input.body.model for route in routes if route.input.body and route.input.body.model]
    written = [answer.model for route in routes for answer in route.answers if answer.model]
    models = [(model, "validation") for model in read] + [(model, "serialization") for model in (*written, ErrorBody)]
    _, schema = models_json_schema(list(dict.fromkeys(models)), ref_template=REF_TEMPLATE)  # type: ignore[arg-type]
    definitions: Json = schema["$defs"]
    return definitions


def _operation(route: Route, responses: Iterable[ErrorResponse]) -> Json:
    about, access, request = route.operation, route.access, route.input
    operation: Json = {"operationId": about.operation_id, "tags": [about.tag], "summary": about.summary}
    if about.description:
        operation["description"] = about.description
    if access.scopes:
        operation["security"] = [{"bearer": [scope]} for scope in access.scopes]
    if access.token_in_body or access.optional:
        operation["security"] = [{"bearer": []}, {}]
    if request.parameters:
        operation["parameters"] = [_parameter(one, request.empty_is_absent) for one in request.parameters]
    if request.body:
        operation["requestBody"] = _body(request.body)
    answers = {str(answer.status): _answer(answer) for answer in route.answers}
    errors = {str(one.status): {"$ref": f"#/components/responses/{one.name}"} for one in responses}
    # A route's own answer replaces an error with the same status.
    operation["responses"] = dict(sorted((errors | answers).items()))
    return operation


def _parameter(parameter: Parameter, empty_is_absent: bool) -> Json:  # noqa: FBT001 one call
    written: Json = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required or parameter.place == "path",
        "schema": dict(parameter.schema),
    }
    if empty_is_absent and parameter.place == "query" and not parameter.required:
        written["allowEmptyValue"] = True
    return written if parameter.example is None else {**written, "example": parameter.example}


def _body(body: Body) -> Json:
    return {
        "required": body.model is not None,
        "description": body.description,
        "content": {
            JSON: {"schema": _ref(body.model) if body.model else {}, "examples": _examples(body.examples)},
            **{media_type: {"schema": _form(body.model)} for media_type in body.also if body.model},
        },
    }


def _form(model: type[BaseModel]) -> Json:
    """The same fields as a form. A value that is not a string is JSON text."""
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in model.model_fields},
        "required": required,
    }


def _answer(answer: Answer) -> Json:
    content: Json = {"schema": _ref(answer.model) if answer.model else dict(answer.schema)}
    if answer.examples:
        content["examples"] = _examples(answer.examples)
    cached = {name: {**header, "required": True} for name, header in _CACHED.items()} if answer.cached else {}
    written: Json = {
        "description": answer.description,
        "headers": _headers(answer.headers, required=False) | cached,
    }
    if answer.media_type:
        also = {media_type: {"schema": {"type": "string"}} for media_type in answer.also}
        written["content"] = {answer.media_type: content, **also}
    return {**written, "links": dict(answer.links)} if answer.links else written


def _error_response(error: ErrorResponse) -> Json:
    return {
        "description": error.description,
        "headers": _headers(error.always, required=True) | _headers(error.sometimes, required=False),
        "content": {JSON: {"schema": {"allOf": [_ref(error.model), _constant(error.constants)]}}},
    }


def _constant(value: object) -> Json:
    """The schema of anything that contains `value`. A frozenset stands for any one of its members."""
    if isinstance(value, dict):
        return {"properties": {name: _constant(part) for name, part in value.items()}}
    if isinstance(value, list):
        return {"items": _constant(value[0])}
    if isinstance(value, frozenset):
        return {"enum": sorted(value)}
    return {"const": value}


def _headers(names: Iterable[str], *, required: bool) -> Json:
    always = {name: {"$ref": f"#/components/headers/{name}"} for name in _ALWAYS}
    return always | {name: {**_HEADERS[name], "required": required} for name in names}


def _examples(values: Mapping[str, Example]) -> Json:
    # `wrongInParts` -> `Wrong in parts`
    words = {name: re.sub("([A-Z])", lambda found: " " + found[1].lower(), name).capitalize() for name in values}
    return {name: {"summary": words[name], "value": value} for name, value in values.items()}


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": REF_TEMPLATE.format(model=model.__name__)}
