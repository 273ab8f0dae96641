"""`tallymill definitions`: an app's events from a YAML or JSON file into MongoDB. Never removed, only retired (G12)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pymongo import ReplaceOne
from pymongo.asynchronous.database import AsyncDatabase

from schemas.documents import DEFINITIONS, ID_SCHEMA_PATTERN, Definition, definition_of

Id = Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)]


class BadDefinitions(Exception):
    """The file is no definitions file; one sentence a problem, naming its field."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


class DeclaredEvent(BaseModel):
    """One event of a definitions file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    names: Annotated[dict[Language, Text], Field(min_length=1)]
    descriptions: dict[Language, Text] = {}
    image_url: str | None = None
    visibility: Literal["REVEALED", "HIDDEN"] = "REVEALED"
    children: tuple[Id, ...] = ()


class DefinitionsFile(BaseModel):
    """`app`, `default_language`, `definitions`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    app: Id
    default_language: Language = "en"
    definitions: tuple[DeclaredEvent, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "DefinitionsFile":
        ids = [event.id for event in self.definitions]
        problems = [f"{name} is declared twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
        for event in self.definitions:
            if self.default_language not in event.names:
                problems.append(f"{event.id} has no name in the default language {self.default_language}")
            problems += [f"{event.id}: child {child} is not declared" for child in event.children if child not in ids]
        if problems:
            raise ValueError("; ".join(problems))
        return self


@dataclass(frozen=True, slots=True)
class Change:
    """What applying a file does to one definition."""

    definition: Definition
    kind: Literal["declared", "changed", "retired", "kept"]


def read_file(path: Path) -> DefinitionsFile:
    """The file, checked. Raises BadDefinitions."""
    try:
        return DefinitionsFile.model_validate(_parsed(path))
    except OSError as error:
        raise BadDefinitions([f"{path}: {error.strerror}"]) from error
    except ValidationError as error:
        raise BadDefinitions([_problem(e["loc"], e["msg"]) for e in error.errors()]) from error
    except (yaml.YAMLError, ValueError) as error:  # JSON's and Unicode's errors are ValueErrors
        raise BadDefinitions([f"{path}: {error}"]) from error


def _parsed(path: Path) -> object:
    """YAML takes most JSON, but no tabs and no surrogate pairs, so JSON is read as such."""
    text = path.read_text("utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def _problem(location: tuple[int | str, ...], message: str) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    return f"{path or 'file'}: {message}"


def changes(file: DefinitionsFile, existing: Mapping[str, Definition], now: datetime) -> list[Change]:
    """What makes `existing` (by definitionId) match `file`: an event that is not in the file any more is retired."""
    declared = {event.id: _definition(event, file, existing.get(event.id), now) for event in file.definitions}
    found = [Change(definition, _kind(definition, existing.get(name))) for name, definition in declared.items()]
    gone = [old for name, old in existing.items() if name not in declared]
    found += [Change(old, "kept") for old in gone if old.retired_at]
    found += [Change(old.model_copy(update={"retired_at": now}), "retired") for old in gone if not old.retired_at]
    return found


def _definition(event: DeclaredEvent, file: DefinitionsFile, old: Definition | None, now: datetime) -> Definition:
    """Declared since it first was; declared again after it was retired, since then."""
    since = old.declared_at if old and not old.retired_at else now
    texts: dict[str, Any] = event.model_dump(exclude={"id"})
    return Definition(
        app=file.app, definition_id=event.id, default_language=file.default_language, declared_at=since, **texts
    )


def _kind(definition: Definition, old: Definition | None) -> Literal["declared", "changed", "kept"]:
    if old is None or old.retired_at:
        return "declared"
    return "kept" if definition == old else "changed"


async def existing_definitions(db: AsyncDatabase[dict[str, Any]], app: str) -> dict[str, Definition]:
    """All definitions of an app, retired ones too, by definitionId."""
    found = db[DEFINITIONS].find({"app": app}, sort=[("_id", 1)])
    return {d.definition_id: d async for d in (definition_of(document) async for document in found)}


async def apply_changes(db: AsyncDatabase[dict[str, Any]], found: Sequence[Change]) -> None:
    """Write what changes."""
    writes = [
        ReplaceOne({"_id": document["_id"]}, document, upsert=True)
        for document in (change.definition.document() for change in found if change.kind != "kept")
    ]
    if writes:
        await db[DEFINITIONS].bulk_write(writes)
