"""`tallymill definitions apply` and `list`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ingress.games.language import text_for
from ops.config import load_settings
from ops.connect import database
from ops.definitions.changes import (
    Change,
    FieldChange,
    apply_changes,
    changes,
    existing_definitions,
    read_file,
    retired_by,
)
from ops.output import EXIT_BAD_INPUT, EXIT_OK, complain, did_you_mean, print_table, say
from ops.server_clock import server_now
from schemas.canary import CANARY_APP
from schemas.documents import DEFINITIONS
from schemas.games.judging import matches_id

# Events that a message names; with more it would be longer than a screen.
MOST_NAMED = 20

# How long an ingress keeps definitions before it reads them again (ingress/games/).
KNOWN_WITHIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How a definitions file is applied. Without `retires`, events that the file does not list stay."""

    dry_run: bool = False
    retire_all: bool = False
    retires: bool = True


async def apply(path: Path, options: ApplyOptions, *, as_json: bool) -> int:
    """Print the changes, then write them. Exit status 2: all events would be retired, and that was not confirmed."""
    file = read_file(path)
    if file.app == CANARY_APP:
        complain(f"{path}: app {CANARY_APP} is reserved for `tallymill canary`. `tallymill init` declares its event.")
        return EXIT_BAD_INPUT
    async with database(load_settings()) as db:
        existing = await existing_definitions(db, file.app)
        found = changes(file, existing, await server_now(db), retires=options.retires)
        _print_changes(found, as_json=as_json)
        if refusal := _warn_of_retired(file.app, found, options):
            complain(refusal)
            return EXIT_BAD_INPUT
        if not options.dry_run:
            await apply_changes(db, found)
    if not as_json:
        written = f"Changes written. Running ingresses use them within {KNOWN_WITHIN_SECONDS} s."
        say("Nothing was written, because of --dry-run." if options.dry_run else written)
    return EXIT_OK


def _warn_of_retired(app: str, found: Sequence[Change], options: ApplyOptions) -> str:
    """Name the events that are retired: they are easy to miss in the table. Returns why this is refused, if it is."""
    retired, active = retired_by(found)
    if not retired:
        return ""
    names = ", ".join(retired[:MOST_NAMED]) + (", ..." if len(retired) > MOST_NAMED else "")
    complain(f"Retired are {len(retired)} of {active} active events of app {app}: {names}")
    if len(retired) < active or options.retire_all:
        return ""
    if options.dry_run:
        complain("These are all active events of the app. To write this, add --retire-all.")
        return ""
    return f"Nothing was written: the file retires all events of app {app}. To confirm this, add --retire-all."


async def show_list(app: str, *, as_json: bool) -> int:
    """Exit status 2 if `app` can't be the name of an app. An app without events is named: it may be misspelt."""
    if not matches_id(app):
        complain(f"--app {app}: must be 1 to 64 letters, digits, _ or -")
        return EXIT_BAD_INPUT
    async with database(load_settings()) as db:
        found = await existing_definitions(db, app)
        if not found:
            known = await _apps(db)
            complain(f"App {app} has no events in database {db.name}{did_you_mean(app, known)}")
    if as_json:
        say(json.dumps([definition.model_dump(mode="json") for definition in found.values()]))
    else:
        rows = [
            (
                d.definition_id,
                text_for(d.names, (), d.default_language),
                " ".join(d.names),
                d.visibility,
                d.format,
                _at(d.retired_at),
            )
            for d in found.values()
        ]
        print_table(("id", "name", "languages", "visibility", "format", "retired"), rows)
    return EXIT_OK


async def _apps(db: AsyncDatabase[dict[str, Any]]) -> list[str]:
    return await db[DEFINITIONS].distinct("app")


def _print_changes(found: Sequence[Change], *, as_json: bool) -> None:
    """Field by field. An event that is kept has one line without fields."""
    if as_json:
        rows = [(c.definition.definition_id, c.kind, [asdict(field) for field in c.fields]) for c in found]
        say(json.dumps([{"id": name, "change": kind, "fields": fields} for name, kind, fields in rows]))
        return
    lines = [
        (change.definition.definition_id, change.kind, one.field, _shown_json(one.before), _shown_json(one.after))
        for change in found
        for one in change.fields or (FieldChange("", None, None),)
    ]
    print_table(("id", "change", "field", "before", "after"), lines)


def _at(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _shown_json(value: object) -> str:
    """A string without quotes, anything else as JSON."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
