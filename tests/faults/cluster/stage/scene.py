"""One fault under load: the system at work, the fault, what came of it, and the verdict as a row of the table."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.faults.cluster.report.figures import Figures, figures_of
from tests.faults.cluster.report.timeline import Timeline
from tests.faults.cluster.stage.brokers import Brokers, in_sync
from tests.faults.cluster.stage.checker import Verdict, judge, read_stored
from tests.faults.cluster.stage.load import Load, Token, loading
from tests.faults.cluster.stage.logs import Said, private_lines, said_of, unpaired
from tests.faults.cluster.stage.requests import APIS
from tests.faults.cluster.stage.system import APP, Process, Ran, System, running
from tests.faults.replica_set import ReplicaSet

WARM_SECONDS = 6.0
"""Load before the fault: every partition has records, every process its connections."""
WARM_LIMIT_SECONDS = 90.0
AFTER_SECONDS = 15.0
"""Load that goes on after the fault, so that what stands still is seen to."""
OPEN_SECONDS = 90.0
"""How long after it answers may be due."""
IN_SYNC_SECONDS = 120.0
SETTLE_SECONDS = 120.0
"""How long after the last answer counts may be due; a recovery that takes longer is no recovery."""

ACKS_GOAL_SECONDS = 15.0
COUNTS_GOAL_SECONDS = 20.0
SCOPES = "https://www.googleapis.com/auth/games tallymill.read tallymill.refusals"
CLAIM_SECONDS = 2.0
"""Untrue for less than this is two probes: what is exported every second and read every other is that old."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The servers, for the whole run. Each test starts its own system on them."""

    brokers: Brokers
    replica_set: ReplicaSet

    @property
    def mongodb(self) -> str:
        return self.replica_set.uri

    @property
    def mongods(self) -> list[str]:
        return [member.place.address for member in self.replica_set.members]


@dataclass(slots=True)
class Outcome:
    """What came of a fault: the row, and every reason why it is not as promised."""

    verdict: Verdict
    figures: Figures
    said: dict[str, Said]
    statuses: list[tuple[float, Ran]]
    load_average: float
    commands: dict[str, Ran] = field(default_factory=dict)


class Scene:
    """Made by `on_stage`. Waits are measured from `mark` on."""

    def __init__(self, cluster: Cluster, system: System, load: Load, timeline: Timeline) -> None:
        self.cluster = cluster
        self.system = system
        self.load = load
        self.timeline = timeline
        self.commands: dict[str, Ran] = {}
        self.marked = time.monotonic()
        self.acks_marked: float | None = None
        self._log_from: dict[str, int] = {}
        self._load_averages: list[float] = []

    def mark_acks(self) -> None:
        """Waits for acks are measured from here, where not from the same time as the rest."""
        self.acks_marked = time.monotonic()

    def mark(self) -> None:
        """Waits, answers and claims are measured from here: the fault, or the end of a loss of a majority."""
        self.marked = time.monotonic()
        self._load_averages.append(os.getloadavg()[0])

    def note_logs(self) -> None:
        """Lines of the logs are read from here."""
        self._log_from = {p.name: _size(self.system.log(p)) for p in self.system.processes}

    async def fault(self) -> None:
        """Call just before the fault."""
        self.note_logs()
        self.mark()

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def do(self, act: Callable[..., Any], *arguments: object) -> None:
        """Something that takes its time, without holding up the load."""
        await asyncio.to_thread(act, *arguments)

    async def run(self, *words: str) -> Ran:
        """A command; its end is kept for the row."""
        self.commands[" ".join(words)] = ran = await self.system.run(*words)
        return ran

    async def until(self, holds: Callable[[], bool], what: str, seconds: float) -> float:
        """Wait. Returns the seconds it took."""
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    async def until_answers(self, process: Process) -> None:
        """Wait until a started process is alive."""
        began = time.monotonic()

        def answers() -> bool:
            last = [probe for probe in self.timeline.probes[-100:] if probe.name == process.name]
            return any(probe.livez == 200 and probe.at > began for probe in last)

        await self.until(answers, f"{process.name} answers", WARM_LIMIT_SECONDS)

    async def until_in_sync(self) -> None:
        """Wait until every replica of both topics is in sync."""
        async with asyncio.timeout(IN_SYNC_SECONDS):
            while not await in_sync(self.cluster.brokers.bootstrap, self.system.topics):  # noqa: ASYNC110 no event
                await asyncio.sleep(0.5)

    async def end(self, after: float = AFTER_SECONDS, settle: float = SETTLE_SECONDS) -> Outcome:
        """Continue the load for a while, end it, wait until everything is counted, and judge."""
        await self.wait(after)
        await self.load.finish(OPEN_SECONDS)
        verdict = await self._settled(settle)
        await asyncio.sleep(1.0)  # the last positions
        apis = dict(zip(self.system.topics, APIS, strict=True))
        figures = figures_of(self.load.ledger.sent, self.timeline, self.marked, apis, self.acks_marked)
        said = {p.name: said_of(self._log(p.name, self.system.log(p))) for p in self.system.processes}
        statuses = [(at - self.marked, ran) for at, ran in self.timeline.statuses if at >= self.marked]
        average = max([*self._load_averages, os.getloadavg()[0]])
        return Outcome(verdict, figures, said, statuses, average, self.commands)

    async def _settled(self, seconds: float) -> Verdict:
        """Sums, as soon as everything acknowledged is there; or as they stand when patience ends."""
        give_up = time.monotonic() + seconds
        while True:
            stored = await asyncio.to_thread(read_stored, self.cluster.mongodb, self.system.database, APP)
            verdict = judge(self.load.ledger, stored)
            if not (verdict.lost or verdict.wrong) or time.monotonic() > give_up:
                return verdict
            await asyncio.sleep(1.0)

    def _log(self, name: str, path: Path) -> str:
        with path.open("rb") as file:
            file.seek(self._log_from.get(name, 0))
            return file.read().decode(errors="replace")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def issuer_of(folder: Path) -> Token:
    """Tokens of the local issuer, each signed once."""
    key = ECKey.import_key(json.loads((folder / "issuer.jwk").read_text()))
    made: dict[str, str] = {}

    def token(player: str) -> str:
        if player not in made:
            now = int(time.time())
            claims = {"iss": "tallymill-local", "aud": "tallymill", "iat": now, "exp": now + 86_400}
            claims |= {"sub": player, "app": APP, "scope": SCOPES}
            made[player] = jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])
        return made[player]

    return token


@asynccontextmanager
async def on_stage(cluster: Cluster, folder: Path) -> AsyncIterator[Scene]:
    """A new system under load: every process is ready, and records of both APIs have been counted."""
    with running(folder, cluster.brokers.bootstrap, cluster.mongodb) as system:
        await system.initialise()
        await system.start_all()
        system.write_state(cluster.brokers.bootstrap, cluster.mongodb)
        timeline = Timeline()
        recording = asyncio.create_task(timeline.record(system, cluster.mongods))
        try:
            async with loading([ingress.url for ingress in system.ingresses], issuer_of(folder)) as load:
                scene = Scene(cluster, system, load, timeline)
                await scene.wait(WARM_SECONDS)
                await scene.until(lambda: _is_warm(scene), "both APIs are acknowledged", WARM_LIMIT_SECONDS)
                yield scene
        finally:
            timeline.stop()
            await recording
            await asyncio.to_thread(mend, cluster)


def _is_warm(scene: Scene) -> bool:
    return all(scene.load.acknowledged(api) > 3 * WARM_SECONDS for api in APIS)


def mend(cluster: Cluster) -> None:
    """The servers whole again, whatever a test left: for the next."""
    cluster.brokers.mend()
    for member in cluster.replica_set.members:
        if member.child.exit_status() is None:
            cluster.replica_set.thaw(member)
        else:
            cluster.replica_set.start_again(member)
    cluster.replica_set.settle()


def wrong_sums(verdict: Verdict) -> list[str]:
    """Every request that was not counted once, or was answered untruly, one line each."""
    found = [
        f"{what}: {one.told()}"
        for what, requests in (
            ("lost", [] if verdict.excused else verdict.lost),
            ("double", verdict.double),
            ("refused", verdict.refused),
            ("a first attempt that was answered as a duplicate", verdict.false_duplicates),
        )
        for one in requests[:3]
    ]
    if verdict.open:
        found.append(f"{verdict.open} requests never acknowledged")
    return found + [f"sum: {line}" for line in verdict.wrong[:3]]


def problems(
    outcome: Outcome,
    acks: float | None = ACKS_GOAL_SECONDS,
    counts: float | None = COUNTS_GOAL_SECONDS,
    livez: float | None = CLAIM_SECONDS,
) -> list[str]:
    """Everything that is not as promised, one line each. None: no goal."""
    figures, found = outcome.figures, wrong_sums(outcome.verdict)
    if acks is not None and figures.slowest_ack > acks:
        found.append(f"a request waited {figures.slowest_ack:.1f} s for its ack, more than {acks:g} s")
    if counts is not None and (figures.counts or 0) > counts:
        place = figures.slowest_partition
        found.append(f"a record of {place} waited {figures.counts:.1f} s for its count, more than {counts:g} s")
    if figures.untrue_lag > CLAIM_SECONDS:
        found.append(f"lag 0 was claimed for {figures.untrue_lag:.0f} s of partitions whose records waited")
    if livez is not None and figures.untrue_livez > livez:
        found.append(f"/livez 200 of workers for {figures.untrue_livez:.0f} s with records waiting for over a minute")
    found += [f"log of {name}: {line}" for name, said in outcome.said.items() for line in unpaired(said)]
    return found + [f"log: {line}" for line in private_lines(list(outcome.said.values()))[:3]]


class Tell(Protocol):
    """What ends a test (tests/faults/cluster/conftest.py).

    `more`: problems the test has found; `sums`: nothing else is asked.
    """

    def __call__(
        self, fault: str, outcome: Outcome, more: Sequence[str] = (), *, sums: bool = False, **goals: float | None
    ) -> None: ...
