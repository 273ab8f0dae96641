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
from ops.output import (
    EXIT_BAD_INPUT,
    EXIT_OK,
    EXIT_WRONG,
    complain,
    confirmed,
    did_you_mean,
    print_table,
    say,
)
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
    """How a definitions file is applied. Without `retires`, events that the file does not list stay.

    `yes`: events are retired without a question. `retire_all`: even all of them.
    """

    dry_run: bool = False
    yes: bool = False
    retire_all: bool = False
    retires: bool = True


async def apply(path: Path, options: ApplyOptions, *, as_json: bool) -> int:
    """Print the changes, then write them.

    Exit status 1: a person did not confirm that events are retired. 2: without a terminal, nobody did.
    """
    file = read_file(path)
    if file.app == CANARY_APP:
        complain(f"{path}: app {CANARY_APP} is reserved for `tallymill canary`. `tallymill init` declares its event.")
        return EXIT_BAD_INPUT
    async with database(load_settings()) as db:
        existing = await existing_definitions(db, file.app)
        found = changes(file, existing, await server_now(db), retires=options.retires)
        _print_changes(found, as_json=as_json)
        if status := _confirm_retired(file.app, found, options):
            return status
        if not options.dry_run:
            await apply_changes(db, found)
    if not as_json:
        say(_outcome(file.app, found, options))
    return EXIT_OK


def _outcome(app: str, found: Sequence[Change], options: ApplyOptions) -> str:
    if all(change.kind == "unchanged" for change in found):
        return f"Unchanged: app {app} has these events already. Nothing was written."
    if options.dry_run:
        return "Nothing was written, because of --dry-run."
    return f"Changes written. Running ingresses use them within {KNOWN_WITHIN_SECONDS} s."


def _confirm_retired(app: str, found: Sequence[Change], options: ApplyOptions) -> int:
    """Name the events that are retired: they are easy to miss in the table. The exit status if they must not be."""
    retired, active = retired_by(found)
    if not retired:
        return EXIT_OK
    names = ", ".join(retired[:MOST_NAMED]) + (", ..." if len(retired) > MOST_NAMED else "")
    complain(f"Retired are {len(retired)} of {active} active events of app {app}: {names}")
    every = len(retired) == active
    if options.dry_run:
        flag = "--retire-all" if every else "--yes"
        complain(f"To write this without a question, add {flag}.")
        return EXIT_OK
    if options.retire_all or (options.yes and not every):
        return EXIT_OK
    if every:
        complain(f"Nothing was written: the file retires all events of app {app}. To confirm this, add --retire-all.")
        return EXIT_BAD_INPUT
    answer = confirmed(f"Retire {'this event' if len(retired) == 1 else f'these {len(retired)} events'} of app {app}?")
    if answer is None:
        complain("Nothing was written: this is not a terminal, so nobody can confirm it. To confirm it, add --yes.")
        return EXIT_BAD_INPUT
    if not answer:
        complain("Nothing was written.")
    return EXIT_OK if answer else EXIT_WRONG


async def show_apps(*, as_json: bool) -> int:
    """The apps that have definitions, and how many of them are in force."""
    async with database(load_settings()) as db:
        stages: list[dict[str, Any]] = [
            {"$group": {"_id": "$app", "all": {"$sum": 1}, "retired": {"$sum": _IS_RETIRED}}},
            {"$sort": {"_id": 1}},
        ]
        found = await (await db[DEFINITIONS].aggregate(stages)).to_list()
    apps = [{"app": one["_id"], "events": one["all"] - one["retired"], "retired": one["retired"]} for one in found]
    if as_json:
        say(json.dumps(apps))
    elif apps:
        print_table(("app", "events", "retired"), [tuple(map(str, one.values())) for one in apps])
    else:
        say("No app has definitions. Declare one's events with `tallymill definitions apply FILE`.")
    return EXIT_OK


_IS_RETIRED = {"$cond": [{"$ne": [{"$ifNull": ["$retiredAt", None]}, None]}, 1, 0]}


async def show_list(app: str, *, as_json: bool) -> int:
    """Exit status 2 if `app` can't be the name of an app, or has no definitions: it may be misspelt."""
    if not matches_id(app):
        complain(f"--app {app}: must be 1 to 64 letters, digits, _ or -")
        return EXIT_BAD_INPUT
    async with database(load_settings()) as db:
        found = await existing_definitions(db, app)
        if not found:
            known = await _apps(db)
            complain(f"App {app} has no events in database {db.name}{did_you_mean(app, known)}")
            return EXIT_BAD_INPUT
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
    """Field by field. An event that is unchanged has one line without fields."""
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
