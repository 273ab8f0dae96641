"""Google's own description of an answer (games.v1.json, inside the client), as JSON Schema.

Stricter than the document, which requires nothing: every field it declares must be there, and no other; `kind` must be
the string its description fixes; an int64 is a string of digits.
"""

import json
import re
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator

Json = dict[str, Any]

INT64 = r"^(0|-?[1-9][0-9]{0,18})$"
# Absent by the document's own words: on the last page, and for a request-wide failure ("empty").
MAY_LACK = {"nextPageToken", "periodStartMillis", "periodEndMillis"}

_KIND = re.compile(r"Value is always the fixed string `([^`]+)`")


@cache
def document() -> Json:
    cached = resources.files("googleapiclient.discovery_cache.documents")
    found: Json = json.loads((cached / "games.v1.json").read_text())
    return found


def problems(method: str, answer: object) -> list[str]:
    """Every difference between an answer of `events.METHOD` and the document, with its path."""
    name = document()["resources"]["events"]["methods"][method]["response"]["$ref"]
    errors = Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _definitions()}).iter_errors(answer)
    return [f"{error.json_path}: {error.message}" for error in errors]


@cache
def _definitions() -> Json:
    return {name: _json_schema(schema) for name, schema in document()["schemas"].items()}


def _json_schema(declared: Json) -> Json:
    """One schema of a discovery document."""
    if "$ref" in declared:
        return {"$ref": f"#/$defs/{declared['$ref']}"}
    if declared["type"] == "array":
        return {"type": "array", "items": _json_schema(declared["items"])}
    if declared["type"] == "object":
        properties = {name: _json_schema(one) for name, one in declared.get("properties", {}).items()}
        required = [name for name in properties if name not in MAY_LACK]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return _plain(declared)


def _plain(declared: Json) -> Json:
    schema: Json = {"type": declared["type"]}
    if declared.get("format") == "int64":
        schema["pattern"] = INT64
    if "enum" in declared:
        schema["enum"] = declared["enum"]
    if found := _KIND.search(declared.get("description", "")):
        schema["const"] = found.group(1)
    return schema
