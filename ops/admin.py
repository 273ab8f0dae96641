"""init, token, definitions, config, doctor: what the command line does, without the command line's parsing.

Each returns an exit status: 0 done and fine, 1 something is wrong or away, 2 bad input.
"""

import asyncio
import json
import os
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ingress.games.language import text_for
from ops.config import SettingsError, ignored_variables, load_settings, shown
from ops.connect import NotReachable, database
from ops.definitions.command import (
    BadDefinitions,
    Change,
    FieldChange,
    apply_changes,
    changes,
    existing_definitions,
    read_file,
    retired_by,
)
from ops.doctor.command import Check, examine
from ops.init.command import initialise, wrong
from ops.output import EXIT_BAD_INPUT, EXIT_OK, EXIT_WRONG, complain, print_table, say
from ops.server_clock import server_now
from ops.tokens.token import make_token
from schemas.games.judging import matches_id
from serving.failures import outage_words

# Names of events in one line of a message.
MOST_NAMED = 20


def guarded(work: Coroutine[Any, Any, int]) -> int:
    """Run a command; what users can mend is told in plain words, with the exit status that fits."""
    try:
        return asyncio.run(work)
    except (SettingsError, BadDefinitions) as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    except NotReachable as error:
        complain(str(error))
        return EXIT_WRONG
    except Exception as error:
        if (words := outage_words(error)) is None:
            raise  # a bug: with its trace
        complain(words)
        return EXIT_WRONG


async def init(*, as_json: bool, add_partitions: bool = False) -> int:
    findings = await initialise(load_settings(), add_partitions=add_partitions)
    if as_json:
        say(json.dumps([asdict(finding) for finding in findings]))
    else:
        print_table(("what", "state", ""), [(f.what, f.state, f.detail) for f in findings])
    return EXIT_WRONG if wrong(findings) else EXIT_OK


async def doctor(*, as_json: bool) -> int:
    checks: list[Check] = await examine(load_settings())
    if as_json:
        say(json.dumps([asdict(check) for check in checks]))
    else:
        print_table(("what", "state", ""), [(c.what, c.state, c.detail) for c in checks])
    return EXIT_WRONG if any(check.state == "wrong" for check in checks) else EXIT_OK


async def prepare(definitions: Path) -> int:
    """What a local system needs once before its processes start: `init`, then an app's events. Safe to repeat."""
    wanted = ApplyWanted(retires=False)  # what somebody has declared for the demo app stays
    return await init(as_json=False) or await definitions_apply(definitions, wanted, as_json=False)


@dataclass(frozen=True, slots=True)
class ApplyWanted:
    """How a definitions file is applied."""

    dry_run: bool = False
    retire_all: bool = False
    retires: bool = True


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """What a token is to say."""

    app: str
    player: str
    scopes: Sequence[str]
    seconds: int
    anonymous: bool


async def token(wanted: TokenWanted, *, as_json: bool) -> int:
    """The token alone on the last line."""
    settings = load_settings()
    try:
        made = make_token(
            settings, wanted.app, wanted.player, wanted.scopes, anonymous=wanted.anonymous, seconds=wanted.seconds
        )
    except ValueError as error:
        complain(str(error))
        return EXIT_BAD_INPUT
    say(json.dumps({"token": made, "app": wanted.app, "player": wanted.player}) if as_json else made)
    return EXIT_OK


async def config(*, as_json: bool) -> int:
    """The settings in force, secrets masked, and the variables that are not taken for settings."""
    sections, ignored = shown(load_settings()), ignored_variables(os.environ)
    if as_json:
        say(json.dumps({**sections, "ignored": ignored}))
        return EXIT_OK
    rows = [
        (f"{section}.{name}", _shown(value)) for section, values in sections.items() for name, value in values.items()
    ]
    print_table(("setting", "value"), rows)
    if ignored:
        say("\n".join(["", "ignored, as Kubernetes sets them for services of these names:", *ignored]))
    return EXIT_OK


async def definitions_apply(path: Path, wanted: ApplyWanted, *, as_json: bool) -> int:
    """What changes is shown before it is written; a dry run ends there. 2: it would retire everything, unasked."""
    file = read_file(path)
    async with database(load_settings()) as db:
        existing = await existing_definitions(db, file.app)
        found = changes(file, existing, await server_now(db), retires=wanted.retires)
        _print_changes(found, as_json=as_json)
        if refusal := _tell_retired(file.app, found, wanted):
            complain(refusal)
            return EXIT_BAD_INPUT
        if not wanted.dry_run:
            await apply_changes(db, found)
    if not as_json:
        say("Nothing was written: --dry-run." if wanted.dry_run else "Written; ingresses that run know it within 5 s.")
    return EXIT_OK


def _tell_retired(app: str, found: Sequence[Change], wanted: ApplyWanted) -> str:
    """Say what is retired: nobody reads that out of a table. Returns why it is refused, if it is."""
    retired, in_force = retired_by(found)
    if not retired:
        return ""
    names = ", ".join(retired[:MOST_NAMED]) + (", ..." if len(retired) > MOST_NAMED else "")
    complain(f"retires {len(retired)} of the {in_force} events of {app} that are in force: {names}")
    if len(retired) < in_force or wanted.retire_all:
        return ""
    if wanted.dry_run:
        complain("that is all of them: writing it needs --retire-all")
        return ""
    return f"nothing was written: all events of {app} would be retired. Confirm with --retire-all"


async def definitions_list(app: str, *, as_json: bool) -> int:
    """2 where that can't be an app. One without events is told: its name may be misspelt."""
    if not matches_id(app):
        complain(f"--app {app}: 1 to 64 letters, digits, _ or -")
        return EXIT_BAD_INPUT
    async with database(load_settings()) as db:
        found = await existing_definitions(db, app)
    if not found:
        complain(f"no event of app {app} is declared in database {db.name}")
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


def _print_changes(found: Sequence[Change], *, as_json: bool) -> None:
    """Field by field; one that is kept has a line without fields."""
    if as_json:
        told = [(c.definition.definition_id, c.kind, [asdict(field) for field in c.fields]) for c in found]
        say(json.dumps([{"id": name, "change": kind, "fields": fields} for name, kind, fields in told]))
        return
    rows = [
        (change.definition.definition_id, change.kind, one.field, _shown_json(one.before), _shown_json(one.after))
        for change in found
        for one in change.fields or (FieldChange("", None, None),)
    ]
    print_table(("id", "change", "field", "before", "after"), rows)


def _at(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _shown_json(value: object) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _shown(value: object) -> str:
    return "" if value is None else str(value)
