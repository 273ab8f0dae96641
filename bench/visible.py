"""The time from accepted to visible in MongoDB, at half of the peak rate, with a real ingress and real workers.

    python -m bench.visible --seconds 30 --workers 1

The peak is measured with clients that send as soon as they are answered; each answer waits until its batch is counted.
The sender (bench/sender.py) shares the cores. Then half of that rate is sent whether or not requests are answered, and
then --rate, which is the same in every run. The ingress states for each request when it was accepted and when it was
visible (Server-Timing). All sums are checked at the end.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp
import uvloop

from bench.figures import Measured, Round
from bench.measure import all_counted, verify
from bench.outcome import NoiseMeter, add_options, finish
from bench.place import Place, servers
from bench.records import APP, EVENTS
from bench.sender import Clients, Delays, Requests
from ingress.config import TokenSettings
from ops.config import Settings, variable_of
from ops.connect import database
from ops.definitions.changes import DeclaredEvent, DefinitionsFile, apply_changes, changes
from ops.init.command import initialise, wrong
from ops.load.check import Database
from ops.load.report import percentiles_millis
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Child, last_lines
from ops.tokens.issuer import ensure_issuer
from ops.tokens.token import make_token
from schemas.games.scopes import GAMES_SCOPE
from schemas.settings import Api

WARM_SECONDS = 3
PEAK_SECONDS = 8
START_SECONDS = 60
# Long enough that no answer is given before its batch is visible: those would be missing at the slow end.
APPLY_TIMEOUT_SECONDS = 20
# A player of a benchmark sends more than one of a game.
ANY_RATE = 1_000_000


@dataclass(frozen=True, slots=True)
class System:
    """An ingress and its workers."""

    port: int
    processes: Sequence[Child]

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@asynccontextmanager
async def system(
    place: Place, settings: Settings, workers: int, api: Api = "games", apply_seconds: float = APPLY_TIMEOUT_SECONDS
) -> AsyncIterator[System]:
    """An ingress and workers of one API for as long as the block lasts."""
    port = any_free()
    variables = {
        variable_of("ingress.port"): str(port),
        variable_of("ingress.apply_timeout_seconds"): str(apply_seconds),
        variable_of("limits.max_requests_per_player"): str(ANY_RATE),
    }
    ingress = place.python("ingress", settings, "ops", "ingress", **variables)
    started = [place.children.start(program) for program in (ingress, *place.workers(settings, workers, api))]
    try:
        running = System(port, started)
        async with asyncio.timeout(START_SECONDS):
            while not await is_ready(running.url):
                for child in started:
                    assert child.exit_status() is None, f"{child.program.name} ended:\n{last_lines(child.log)}"
                await asyncio.sleep(0.1)
        yield running
    finally:
        place.children.stop(started)


async def is_ready(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as reply:
            return reply.status == HTTPStatus.OK
    except aiohttp.ClientError:
        return False


async def declare(db: Database, app: str) -> None:
    """The events of a load."""
    file = DefinitionsFile(app=app, definitions=tuple(DeclaredEvent(id=e, names={"en": e}) for e in EVENTS))
    await apply_changes(db, changes(file, {}, datetime.now(UTC)))


def tokens_of(settings: Settings, app: str, players: int) -> Mapping[str, str]:
    """A token for each player of a load, signed beforehand."""
    return {f"player-{i}": make_token(settings, app, f"player-{i}", [GAMES_SCOPE]) for i in range(players)}


async def run(options: argparse.Namespace) -> Measured:
    with servers() as place:
        tokens = TokenSettings.model_validate(ensure_issuer(place.folder))
        settings = place.settings(options.partitions).model_copy(update={"tokens": tokens})
        assert not wrong(await initialise(settings))
        todo = Requests(tokens_of(settings, APP, options.players))
        async with database(settings) as db:
            await declare(db, APP)
            async with system(place, settings, options.workers) as running:
                measured = await measure(running, todo, options)
                await all_counted(db, todo.made, running.processes)
            await verify(db, todo.counts())
    return measured


async def measure(running: System, todo: Requests, options: argparse.Namespace) -> Measured:
    """The peak, half of it, and the fixed rate, in each round."""
    peak: list[Round] = []
    half: list[Round] = []
    fixed: list[Round] = []
    clients = Clients(todo)
    await clients.connect(LOOPBACK, running.port, options.connections)
    for _ in range(options.rounds):
        await clients.closed_loop(WARM_SECONDS)
        sent = await clients.closed_loop(PEAK_SECONDS)
        rate = sent.answered / sent.seconds
        peak.append({"rate": rate, "sender_share": sent.sender_share})
        half.append(_round(rate / 2, await clients.open_loop(rate / 2, options.seconds)))
        fixed.append(_round(options.rate, await clients.open_loop(options.rate, options.seconds)))
    clients.close()
    return {"peak": peak, "half": half, f"{options.rate:g}/s": fixed}


def _round(rate: float, delays: Delays) -> Round:
    visible, answered = percentiles_millis(delays.visible_seconds), percentiles_millis(delays.answered_seconds)
    return {
        "rate": rate,
        "p50_ms": visible["p50"],
        "p95_ms": visible["p95"],
        "p99_ms": visible["p99"],
        "answered_p99_ms": answered["p99"],
        "not_yet_visible": len(delays.answered_seconds) - len(delays.visible_seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="of each open loop")
    parser.add_argument("--rate", type=float, default=500, help="requests/s of the second open loop")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--players", type=int, default=1_000)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--connections", type=int, default=256)
    add_options(parser)
    options = parser.parse_args()
    meter = NoiseMeter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured = runner.run(run(options))
    print(
        f"{options.connections} connections, {options.workers} worker(s), {options.rounds} round(s) of "
        f"{options.seconds:g} s; p50 to p99 are from accepted to visible; every sum right to the unit"
    )
    finish("visible", options, meter, measured, {})


if __name__ == "__main__":
    main()
