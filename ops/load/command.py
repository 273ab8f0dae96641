"""Runs a load: an app of its own, its events declared, the load sent, the sums checked."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import Progress

from ops.admin import EXIT_OK, EXIT_WRONG
from ops.config import Settings, load_settings
from ops.connect import database
from ops.definitions import DeclaredEvent, DefinitionsFile, apply_changes, changes
from ops.load.check import Database, expected_sums, found_sums, wait_visible
from ops.load.plan import EVENTS, LoadOptions, differences
from ops.load.report import as_text, report
from ops.load.send import Sender
from ops.local.commands import say
from ops.token import GAMES_SCOPE, make_token

# A killed worker's partitions take up to a session timeout and a dead transaction's lifetime to move on.
VISIBLE_SECONDS = 120


async def load(options: LoadOptions, ingress: str | None, *, as_json: bool) -> int:
    """0: every accepted batch is counted once, to the unit. 1: not, or something was refused or unknown."""
    settings = load_settings()
    app = f"load-{secrets.token_hex(4)}"
    async with database(settings) as db:
        await _declare(db, app)
        sender = Sender(ingress or _local_ingress(settings), _tokens(settings, app), options)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bar:
            task = bar.add_task(f"{options.rate:g}/s for {options.seconds:g} s", total=options.shots)
            outcomes = await sender.run(lambda n: bar.advance(task, n))
        waited = await wait_visible(db, app, len(outcomes.answered), VISIBLE_SECONDS)
        problems = differences(await expected_sums(db, app, outcomes), await found_sums(db, app))
    found = report(options, app, outcomes, waited, problems)
    say(json.dumps(found) if as_json else as_text(found))
    return EXIT_WRONG if problems or outcomes.unknown or outcomes.refused else EXIT_OK


async def _declare(db: Database, app: str) -> None:
    events = tuple(DeclaredEvent(id=event, names={"en": event}) for event in EVENTS)
    file = DefinitionsFile(app=app, definitions=events)
    await apply_changes(db, changes(file, {}, datetime.now(UTC)))


def _local_ingress(settings: Settings) -> str:
    return f"http://{settings.ingress.host}:{settings.ingress.port}"


def _tokens(settings: Settings, app: str) -> Callable[[str], str]:
    made: dict[str, str] = {}

    def token(player: str) -> str:
        if player not in made:
            made[player] = make_token(settings, app, player, [GAMES_SCOPE])
        return made[player]

    return token
