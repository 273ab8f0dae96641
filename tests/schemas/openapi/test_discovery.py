"""Our answers against games.v1.json, the document that real clients are built from."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient
import pytest
from pydantic import BaseModel, TypeAdapter

from schemas.games import body

ANSWERS = (
    body.EventBatchRecordFailure,
    body.EventChild,
    body.EventDefinition,
    body.EventDefinitionListResponse,
    body.EventPeriodRange,
    body.EventRecordFailure,
    body.EventUpdateResponse,
    body.PlayerEvent,
    body.PlayerEventListResponse,
)


@cache
def document() -> Any:  # noqa: ANN401 JSON is any
    folder = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    return json.loads((folder / "games.v1.json").read_text())


def ours(model: type[BaseModel]) -> dict[str, Any]:
    """The fields as they are written, `$ref`s kept."""
    properties: dict[str, Any] = TypeAdapter(model).json_schema(mode="serialization")["properties"]
    return properties


def kind(schema: dict[str, Any]) -> str:
    """The type of a field, in words that both documents share. Optional fields keep their type."""
    schema = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)
    if schema.get("type") == "array":
        return f"list of {kind(schema['items'])}"
    name = schema.get("$ref", "").rpartition("/")[2]
    # Enumerations are models of ours, and bare strings there; their values are compared by themselves.
    return "string" if name.endswith("Cause") else name or str(schema["type"])


@pytest.mark.parametrize("model", ANSWERS, ids=lambda model: model.__name__)
def test_every_field_of_the_document_is_answered_and_none_besides(model: type[BaseModel]) -> None:
    """By name and type."""
    theirs = document()["schemas"][model.__name__]["properties"]
    assert {name: kind(schema) for name, schema in theirs.items()} == {
        name: kind(schema) for name, schema in ours(model).items()
    }


@pytest.mark.parametrize("model", ANSWERS, ids=lambda model: model.__name__)
def test_the_kind_is_the_documents(model: type[BaseModel]) -> None:
    """The document has it in a sentence."""
    said = document()["schemas"][model.__name__]["properties"]["kind"]["description"]
    assert f"`{ours(model)['kind']['const']}`" in said


def test_visibility_has_the_documents_values() -> None:
    """REVEALED and HIDDEN."""
    theirs = document()["schemas"]["EventDefinition"]["properties"]["visibility"]["enum"]
    assert theirs == ours(body.EventDefinition)["visibility"]["enum"]
