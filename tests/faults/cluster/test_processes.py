"""A process of tallymill dies: the partitions of the other workers pause for two seconds at most."""

from pathlib import Path

import pytest

from tests.faults.cluster.report.figures import longest_waits, waits_of
from tests.faults.cluster.report.timeline import Where
from tests.faults.cluster.stage.scene import Cluster, Scene, Tell, on_stage
from tests.faults.cluster.stage.system import Process

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(600)]

LIVING_GOAL_SECONDS = 2.0
DEAD_GOAL_SECONDS = 15.0

JOINED_SECONDS = 3.0
"""From its first answer to /livez until it has asked to join its groups."""

SEEN_SECONDS = 1.0
"""A position is read every half second, and a record waits for its turn: what is seen late was not late."""


def owned_by(scene: Scene, worker: Process) -> set[Where]:
    """Partitions of which this worker exported a lag last."""
    lineages = {topic: lineage for lineage, topic in scene.timeline.topics.items()}
    games, analytics = (lineages[topic] for topic in scene.system.topics)
    last = [probe for probe in scene.timeline.probes if probe.name == worker.name and probe.lag][-1]
    return {(games if api == "games" else analytics, number) for api, number in last.lag}


def paused(scene: Scene, since: float) -> dict[Where, float]:
    """The longest wait of each partition."""
    return longest_waits(waits_of(scene.load.ledger.acknowledged, scene.timeline.positions), since)


def told(waits: dict[Where, float], partitions: set[Where], goal: float) -> list[str]:
    late = {where: seconds for where, seconds in waits.items() if where in partitions and seconds > goal + SEEN_SECONDS}
    return [
        f"{where[0]}/{where[1]} paused for {seconds:.1f} s, more than {goal:g} s" for where, seconds in late.items()
    ]


async def test_a_worker_is_killed_for_good(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    async with on_stage(cluster, tmp_path / "system") as scene:
        victim = scene.system.workers[0]
        dead = owned_by(scene, victim)
        await scene.fault()
        scene.system.kill(victim)
        outcome = await scene.end(after=40)
        waits = paused(scene, scene.marked)
        late = told(waits, set(waits) - dead, LIVING_GOAL_SECONDS) + told(waits, dead, DEAD_GOAL_SECONDS)
        tell("a worker killed for good", outcome, late)


async def test_a_worker_is_killed_and_restarted_five_times(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """Each time as soon as it has joined: the group rebalances before the dead member's session ends."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        victim = scene.system.workers[0]
        others = set[Where]().union(*(owned_by(scene, worker) for worker in scene.system.workers[1:]))
        await scene.fault()
        for _ in range(5):
            scene.system.kill(victim)
            scene.system.start(victim)
            await scene.until_answers(victim)
            await scene.wait(JOINED_SECONDS)
        outcome = await scene.end(after=30)
        waits = paused(scene, scene.marked)
        late = told(waits, others, LIVING_GOAL_SECONDS) + told(waits, set(waits) - others, DEAD_GOAL_SECONDS)
        tell("a worker killed five times, each time as it has joined again", outcome, late)


async def test_a_worker_is_frozen_for_60_s(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """Its transaction stays open, and its partitions move on; it wakes up and writes nothing that is not its own."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        victim = scene.system.workers[1]
        await scene.fault()
        scene.system.freeze(victim)
        await scene.wait(60)
        scene.system.thaw(victim)
        tell("a worker frozen for 60 s", await scene.end())


async def test_an_ingress_is_killed(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """Clients that had no answer yet ask the other one, with the same requestId."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        victim = scene.system.ingresses[0]
        await scene.fault()
        scene.system.kill(victim)
        await scene.wait(20)
        scene.system.start(victim)
        tell("an ingress killed, back after 20 s", await scene.end())
