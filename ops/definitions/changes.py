"""Definitions of an app's events: a YAML or JSON file compared with MongoDB, and written to it.

An event is never removed, only retired (docs/rules.md, G12). `changes` lists what a file would change, field by field.
`apply_changes` writes it. All times come from MongoDB's clock: if an operator's clock were ahead, a new event would be
NOT_FOUND until then. Running ingresses notice a change by `updatedAt`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from ingress.games.language import format_problem, text_for
from ops.definitions.text import BadText, data_of_json, data_of_yaml
from ops.definitions.words import problem
from ops.errors import BadInput
from ops.output import did_you_mean
from schemas.definitions import GROUPED, Definition, DefinitionTerm, definition_of
from schemas.documents import DEFINITIONS, ID_SCHEMA_PATTERN

LANGUAGE: Final = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
URL: Final = r"^https?://[^\s]+$"

Id = Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Language = Annotated[str, Field(pattern=LANGUAGE, max_length=35)]
Url = Annotated[str, Field(pattern=URL, max_length=2048)]

PATTERNS: Final = {
    ID_SCHEMA_PATTERN: "1 to 64 letters, digits, _ or -",
    LANGUAGE: "a language tag such as en or pt-BR",
    URL: "a URL that begins with http:// or https://",
}


def _checked_format(number_format: str) -> str:
    if problem := format_problem(number_format):
        raise ValueError(problem)
    return number_format


class BadDefinitions(BadInput):
    """The file is not a definitions file."""


class DeclaredEvent(BaseModel):
    """One event of a definitions file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    names: Annotated[dict[Language, Text], Field(min_length=1)]
    descriptions: dict[Language, Text] = {}
    image_url: Url | None = None
    visibility: Literal["REVEALED", "HIDDEN"] = "REVEALED"
    children: tuple[Id, ...] = ()
    format: Annotated[str, AfterValidator(_checked_format)] = GROUPED


class DefinitionsFile(BaseModel):
    """`app`, `default_language`, `definitions`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    app: Id
    default_language: Language = "en"
    definitions: tuple[DeclaredEvent, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "DefinitionsFile":
        ids = [event.id for event in self.definitions]
        problems = [f"event {name} is declared twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
        for event in self.definitions:
            if not text_for(event.names, (), self.default_language):
                problems.append(f"event {event.id} has no name in the default language {self.default_language}")
            problems += [
                f"event {event.id}: child {child} is not declared{did_you_mean(child, ids)}"
                for child in event.children
                if child not in ids
            ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


Expression = Mapping[str, Any]
Kind = Literal["declared", "changed", "retired", "unchanged"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after, as JSON values. None: the field is missing."""

    field: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one definition."""

    definition: Definition
    kind: Kind
    fields: tuple[FieldChange, ...] = field(default=(), compare=False)


def read_file(path: Path) -> DefinitionsFile:
    """The file, checked. Raises BadDefinitions."""
    data_of = data_of_json if path.suffix.lower() == ".json" else data_of_yaml
    try:
        return DefinitionsFile.model_validate(data_of(path.read_text("utf-8")))
    except OSError as error:
        raise BadDefinitions([f"{path}: {(error.strerror or 'not readable').lower()}"]) from error
    except BadText as error:
        raise BadDefinitions([f"{path}: {problem}" for problem in error.problems]) from error
    except ValidationError as error:
        raise BadDefinitions([_problem(one) for one in error.errors()]) from error
    except UnicodeDecodeError as error:
        raise BadDefinitions([f"{path}: not UTF-8 text (at byte {error.start})"]) from error


def _problem(error: ErrorDetails) -> str:
    is_of_event = error["loc"][:1] == ("definitions",)
    return problem(error, PATTERNS, (DeclaredEvent if is_of_event else DefinitionsFile).model_fields)


def changes(
    file: DefinitionsFile, existing: Mapping[str, Definition], now: datetime, *, retires: bool = True
) -> list[Change]:
    """The changes that make `existing` (by definitionId) match `file`. An event that is not in the file is retired.

    Without `retires` such events stay. `now`, by MongoDB's clock, is only shown: the written time is a little later.
    """
    declared = {event.id: _definition(event, file, existing.get(event.id), now) for event in file.definitions}
    found = [_change(definition, existing.get(name)) for name, definition in declared.items()]
    gone = [old for name, old in existing.items() if name not in declared]
    found += [Change(old, "unchanged") for old in gone if old.retired_at or not retires]
    if retires:
        found += [_change(old.model_copy(update={"retired_at": now}), old) for old in gone if not old.retired_at]
    return found


def _change(definition: Definition, old: Definition | None) -> Change:
    return Change(definition, _kind(definition, old), _differences(old, definition))


def _differences(old: Definition | None, new: Definition) -> tuple[FieldChange, ...]:
    """Field by field. Each language of a text is a separate field."""
    before, after = _fields(old), _fields(new)
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        FieldChange(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )


def _fields(definition: Definition | None) -> dict[str, object]:
    if definition is None:
        return {}
    shown = definition.model_dump(mode="json", by_alias=False, exclude={"app", "definition_id", "updated_at"})
    texts = {f"{name}.{tag}": text for name in ("names", "descriptions") for tag, text in shown.pop(name).items()}
    return {**texts, **{name: value for name, value in shown.items() if value not in (None, [])}}


def _definition(event: DeclaredEvent, file: DefinitionsFile, old: Definition | None, now: datetime) -> Definition:
    """Keeps the time of the first declaration. After a retirement a new term begins; earlier terms are kept."""
    texts: dict[str, Any] = event.model_dump(exclude={"id"})
    return Definition(
        app=file.app,
        definition_id=event.id,
        default_language=file.default_language,
        declared_at=old.declared_at if old and not old.retired_at else now,
        earlier=_earlier(old) if old else (),
        updated_at=old.updated_at if old else None,
        **texts,
    )


def _earlier(old: Definition) -> tuple[DefinitionTerm, ...]:
    """Terms that have ended: a record from within one is judged by it (docs/rules.md, G12)."""
    if old.retired_at is None:
        return old.earlier
    return (*old.earlier, DefinitionTerm(declared_at=old.declared_at, retired_at=old.retired_at))


def _kind(definition: Definition, old: Definition | None) -> Kind:
    if old is None or (old.retired_at and not definition.retired_at):
        return "declared"
    if definition.retired_at:
        return "retired"
    return "unchanged" if definition == old else "changed"


async def existing_definitions(db: AsyncDatabase[dict[str, Any]], app: str) -> dict[str, Definition]:
    """All definitions of an app by definitionId, including retired ones. Raises BadDefinitions for a bad document."""
    found: dict[str, Definition] = {}
    problems: list[str] = []
    async for document in db[DEFINITIONS].find({"app": app}, sort=[("_id", 1)]):
        try:
            definition = definition_of(document)
        except ValidationError as error:
            known = Definition.model_fields
            problems += [
                f"MongoDB, definitions {document['_id']}: {problem(one, PATTERNS, known)}" for one in error.errors()
            ]
        else:
            found[definition.definition_id] = definition
    if problems:
        raise BadDefinitions(problems)
    return found


def retired_by(found: Sequence[Change]) -> tuple[list[str], int]:
    """The events that the changes retire, and the number of active events before them."""
    retired = [change.definition.definition_id for change in found if change.kind == "retired"]
    kept = sum(change.kind in ("unchanged", "changed") and change.definition.retired_at is None for change in found)
    return retired, len(retired) + kept


async def apply_changes(db: AsyncDatabase[dict[str, Any]], found: Sequence[Change]) -> None:
    """Write the changes. Times are not taken from `found`: MongoDB sets them (`$$NOW`) or keeps its own."""
    writes = [_write(change) for change in found if change.kind != "unchanged"]
    if writes:
        await db[DEFINITIONS].bulk_write(writes)


# Times within a document. A missing field reads as null.
_WAS_RETIRED: Expression = {"$ne": [{"$ifNull": ["$retiredAt", None]}, None]}
_EARLIER: Expression = {"$ifNull": ["$earlier", []]}
_LAST_TERM: Expression = {"declaredAt": "$declaredAt", "retiredAt": "$retiredAt"}
_DECLARED = {
    "declaredAt": {"$cond": [_WAS_RETIRED, "$$NOW", {"$ifNull": ["$declaredAt", "$$NOW"]}]},
    "earlier": {"$cond": [_WAS_RETIRED, {"$concatArrays": [_EARLIER, [_LAST_TERM]]}, _EARLIER]},
    "retiredAt": None,
    "updatedAt": "$$NOW",
}
_RETIRED = {"retiredAt": {"$ifNull": ["$retiredAt", "$$NOW"]}, "updatedAt": "$$NOW"}


def _write(change: Change) -> UpdateOne:
    """A pipeline, so that MongoDB computes the times. `$literal`, because a text may begin with a dollar sign."""
    document = change.definition.document()
    if change.kind == "retired":
        return UpdateOne({"_id": document["_id"]}, [{"$set": _RETIRED}])
    texts = {name: value for name, value in document.items() if name not in _DECLARED}
    replaced = {"$mergeObjects": [{"$literal": texts}, _DECLARED]}
    return UpdateOne({"_id": document["_id"]}, [{"$replaceWith": replaced}], upsert=True)
