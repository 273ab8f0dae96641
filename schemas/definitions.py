"""The documents of `definitions`: events that an operator has declared, and when each declaration applied."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.documents import ID_SCHEMA_PATTERN

# How the total of an event is formatted (G19): grouped as in the language, digits alone, or a CLDR number pattern.
GROUPED = "grouped"
PLAIN = "plain"


class DefinitionTerm(BaseModel):
    """A time range in which a definition applied: start inclusive, end exclusive."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )

    declared_at: datetime
    retired_at: datetime

    def in_force(self, at: datetime) -> bool:
        return self.declared_at <= at < self.retired_at


class Definition(BaseModel):
    """`definitions`, `_id` = app/definitionId: a declared event. Never removed, only retired (G12).

    `earlier`: time ranges in which it applied before it was retired and declared again. `updatedAt`: the last write,
    by MongoDB's clock; ingresses use it to read changes.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )

    app: Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)]
    definition_id: Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)]
    default_language: str
    names: Mapping[str, str]
    descriptions: Mapping[str, str] = {}
    image_url: str | None = None
    visibility: Literal["REVEALED", "HIDDEN"] = "REVEALED"
    children: tuple[str, ...] = ()
    format: Annotated[str, Field(min_length=1)] = GROUPED
    declared_at: datetime
    retired_at: datetime | None = None
    earlier: tuple[DefinitionTerm, ...] = ()
    updated_at: datetime | None = None

    def in_force(self, at: datetime) -> bool:
        """Whether a record received at `at` may count for it."""
        now = self.declared_at <= at and (self.retired_at is None or at < self.retired_at)
        return now or any(term.in_force(at) for term in self.earlier)

    def document(self) -> dict[str, object]:
        """The document in MongoDB: the fields in camelCase, and the `_id`."""
        return {"_id": definition_key(self.app, self.definition_id), **self.model_dump()}


def definition_of(document: Mapping[str, object]) -> Definition:
    """The inverse of Definition.document(). Dates must be timezone-aware (a client with tz_aware=True)."""
    return Definition.model_validate({name: value for name, value in document.items() if name != "_id"})


def definition_key(app: str, definition_id: str) -> str:
    return f"{app}/{definition_id}"
