"""Runs a load: creates an app (for batches also its events), sends the load, compares the sums."""

import asyncio
import json
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ops.config import Settings, load_settings
from ops.connect import database
from ops.definitions.changes import DeclaredEvent, DefinitionsFile, apply_changes, changes
from ops.load.check import Database, expected_sums, found_sums, wait_visible
from ops.load.check_pools import expected_pool_sums, found_pool_sums, wait_stored
from ops.load.plan import EVENTS, LoadOptions, S, differences, wrong_load
from ops.load.pools import pool_differences
from ops.load.report import as_text, report
from ops.load.send import ANALYTICS, GAMES, OpenLoop, Outcomes, WireApi
from ops.load.target import ingress_problem, wrong_address
from ops.output import EXIT_BAD_INPUT, EXIT_OK, EXIT_WRONG, complain, progress_bar, say
from ops.server_clock import server_now
from ops.tokens.token import make_token
from schemas.games.scopes import GAMES_SCOPE
from schemas.settings import Api

# Longer than a session timeout and a transaction's lifetime: a worker may be killed during the load.
VISIBLE_SECONDS = 120


async def load(options: LoadOptions, ingress: str | None, api: Api, *, as_json: bool) -> int:
    """Exit status 0: every accepted batch or item is counted once. 1: a difference, a refusal, or nothing accepted.

    2: bad options. The ingress and the database are asked before anything is sent.
    """
    settings = load_settings()
    host, port = settings.ingress.host, settings.ingress.port
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}" if ingress is None else ingress
    if problems := [one for one in (wrong_address(url), wrong_load(options)) if one]:
        complain("\n".join(problems))
        return EXIT_BAD_INPUT
    url = url.rstrip("/")
    target = _Target(settings, url, f"load-{secrets.token_hex(4)}", options)
    make_token(settings, target.app, "player-0", [GAMES_SCOPE])  # fails at once if the key is missing
    async with database(settings) as db:
        if problem := await ingress_problem(url):
            complain(problem)
            return EXIT_WRONG
        await db.client.admin.command("ping")
        found = await (_load_pools if api == "analytics" else _load_batches)(target, db, quiet=as_json)
    return _print(found, as_json=as_json)


def _print(found: dict[str, Any], *, as_json: bool) -> int:
    say(json.dumps(found) if as_json else as_text(found))
    if found["nothing_accepted"]:
        complain(found["nothing_accepted"])
    bad = ("differences", "unknown", "refused", "nothing_accepted")
    return EXIT_WRONG if any(found[name] for name in bad) else EXIT_OK


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a load goes: an ingress and a new app."""

    settings: Settings
    ingress: str
    app: str
    options: LoadOptions

    async def send(self, api: WireApi[S], *, quiet: bool) -> Outcomes[S]:
        sender = OpenLoop(self.ingress, _tokens(self.settings, self.app), self.options, api)
        what = f"{self.options.rate:g} requests a second for {self.options.seconds:g} s"
        with progress_bar(what, self.options.shots, quiet=quiet) as advance, _ctrl_c() as stop:
            return await sender.run(advance, stop)


@contextmanager
def _ctrl_c() -> Iterator[asyncio.Event]:
    """An event that the first SIGINT sets. What was sent until then is compared."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _load_batches(target: _Target, db: Database, *, quiet: bool) -> dict[str, Any]:
    since = await server_now(db)
    await _declare(db, target.app)
    outcomes = await target.send(GAMES, quiet=quiet)
    waited = await wait_visible(db, target.app, len(outcomes.answered), VISIBLE_SECONDS, since)
    found = await found_sums(db, target.app, since)
    problems = differences(await expected_sums(db, target.app, outcomes), found)
    return report(target.options, target.app, outcomes, waited, problems)


async def _load_pools(target: _Target, db: Database, *, quiet: bool) -> dict[str, Any]:
    outcomes = await target.send(ANALYTICS, quiet=quiet)
    accepted = {item.number for pool in outcomes.answered.values() for item in pool.items}
    waited = await wait_stored(db, target.app, len(accepted), VISIBLE_SECONDS)
    found = await found_pool_sums(db, target.app)
    problems = pool_differences(await expected_pool_sums(db, target.app, outcomes), found)
    found_report = report(target.options, target.app, outcomes, waited, problems)
    return {**found_report, "items": len(accepted), "events": len(found.events)}


async def _declare(db: Database, app: str) -> None:
    events = tuple(DeclaredEvent(id=event, names={"en": event}) for event in EVENTS)
    file = DefinitionsFile(app=app, definitions=events)
    await apply_changes(db, changes(file, {}, await server_now(db)))


def _tokens(settings: Settings, app: str) -> Callable[[str], str]:
    made: dict[str, str] = {}

    def token(player: str) -> str:
        if player not in made:
            made[player] = make_token(settings, app, player, [GAMES_SCOPE])
        return made[player]

    return token
