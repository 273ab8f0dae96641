"""The time from accepted to visible in MongoDB, at half of the peak rate, with a real ingress and real workers.

    python -m bench.visible --seconds 30 --workers 1

The peak is measured with clients that send as soon as they are answered; each answer waits until its batch is counted.
The sender shares the cores. Then half of that rate is sent as an open loop (`tallymill load`), and the ingress states
for each request when it was accepted and when it was visible (Server-Timing). The sums are checked at the end.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp

from bench.place import Place, servers
from ingress.config import TokenSettings
from ops.config import Settings, variable_of
from ops.connect import database
from ops.definitions.changes import DeclaredEvent, DefinitionsFile, apply_changes, changes
from ops.init.command import initialise, wrong
from ops.load.check import Database, expected_sums, found_sums, wait_visible
from ops.load.plan import EVENTS, LoadOptions, Shot, differences, shots
from ops.load.report import percentiles_millis
from ops.load.send import Outcomes, Sender
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Child, last_lines
from ops.tokens.issuer import ensure_issuer
from ops.tokens.token import make_token
from schemas.games.scopes import GAMES_SCOPE
from schemas.settings import Api

PEAK_APP, HALF_APP = "peak", "half"

WARM_SECONDS = 3
PEAK_SECONDS = 10
START_SECONDS = 60
VISIBLE_SECONDS = 120
# Long enough that no answer is given before its batch is visible: those would be missing at the slow end.
APPLY_TIMEOUT_SECONDS = 20
# A player of a benchmark sends more than one of a game.
ANY_RATE = 1_000_000
# More than any closed loop here gets through.
MOST_PER_SECOND = 20_000


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


class ClosedLoop:
    """Clients that send as soon as they are answered."""

    def __init__(self, url: str, tokens: Mapping[str, str]) -> None:
        self.answered = 0
        self._url = f"{url}/games/v1/events"
        self._tokens = tokens
        options = LoadOptions(MOST_PER_SECOND, WARM_SECONDS + PEAK_SECONDS, len(tokens), duplicates=0, seed=1)
        self._shots = shots(options, time.time_ns() // 1_000_000)

    async def run(self, connections: int) -> float:
        """Answers a second, past the warm-up."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
            end = time.monotonic() + WARM_SECONDS + PEAK_SECONDS
            for _ in range(connections):
                group.create_task(self._client(session, self._shots, end))
            await asyncio.sleep(WARM_SECONDS)
            before, since = self.answered, time.monotonic()
            await asyncio.sleep(PEAK_SECONDS)
            return (self.answered - before) / (time.monotonic() - since)

    async def _client(self, session: aiohttp.ClientSession, todo: Iterator[Shot], end: float) -> None:
        for shot in todo:
            if time.monotonic() > end:
                return
            headers = {
                "Authorization": f"Bearer {self._tokens[shot.batch.player]}",
                "Content-Type": "application/json",
            }
            async with session.post(self._url, data=shot.batch.body, headers=headers) as reply:
                assert reply.status == HTTPStatus.OK, await reply.text()
                await reply.read()
            self.answered += 1


async def run(options: argparse.Namespace) -> None:
    with servers() as place:
        tokens = TokenSettings.model_validate(ensure_issuer(place.folder))
        settings = place.settings(options.partitions).model_copy(update={"tokens": tokens})
        assert not wrong(await initialise(settings))
        async with database(settings) as db:
            for app in (PEAK_APP, HALF_APP):
                await declare(db, app)
            async with system(place, settings, options.workers) as running:
                loop = ClosedLoop(running.url, tokens_of(settings, PEAK_APP, options.players))
                peak = await loop.run(options.connections)
                await wait_visible(db, PEAK_APP, loop.answered, VISIBLE_SECONDS)
                print(
                    f"peak      {peak:.0f} requests/s, {options.connections} connections, {options.workers} worker(s)"
                )
                outcomes = await half(running.url, settings, peak / 2, options)
                await wait_visible(db, HALF_APP, len(outcomes.answered), VISIBLE_SECONDS)
            problems = differences(await expected_sums(db, HALF_APP, outcomes), await found_sums(db, HALF_APP))
    assert not problems, problems[:10]
    report(peak / 2, options.seconds, outcomes)


async def half(url: str, settings: Settings, rate: float, options: argparse.Namespace) -> Outcomes:
    """An open loop at half of the peak."""
    tokens = tokens_of(settings, HALF_APP, options.players)
    load = LoadOptions(rate, options.seconds, options.players, duplicates=0, seed=2)
    return await Sender(url, tokens.__getitem__, load).run(lambda _: None)


def report(rate: float, seconds: float, outcomes: Outcomes) -> None:
    print(
        f"half      {rate:.0f} requests/s for {seconds:g} s, {len(outcomes.answered)} accepted, sums right to the unit"
    )
    print(f"visible   {json.dumps(percentiles_millis(outcomes.delays.visible_seconds))} ms after accepted")
    print(f"answered  {json.dumps(percentiles_millis(outcomes.delays.latencies_seconds))} ms after due")
    late = f"{outcomes.delays.not_yet_visible} answered before visible (after {APPLY_TIMEOUT_SECONDS} s)"
    refused, retries = outcomes.refusals.counts, outcomes.tries.retries
    print(f"others    {late}, refused {refused}, {len(outcomes.unknown)} unknown, {retries} retries")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--players", type=int, default=1_000)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--connections", type=int, default=256)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
