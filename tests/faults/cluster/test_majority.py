"""A majority is out for a while: nothing is promised meanwhile, and everything goes on soon after its return."""

from pathlib import Path

import pytest

from tests.faults.cluster.scene import Cluster, Tell, on_stage

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(600)]

OUT_SECONDS = 40


async def test_all_brokers_are_down_for_40_s(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    async with on_stage(cluster, tmp_path / "system") as scene:
        scene.note_logs()
        for broker in cluster.brokers.members:
            cluster.brokers.kill(broker)
        await scene.wait(OUT_SECONDS)
        for broker in cluster.brokers.members:
            cluster.brokers.start_again(broker)
        await scene.do(cluster.brokers.wait)
        scene.mark()
        tell("all brokers killed for 40 s (from their return)", await scene.end(after=30))


async def test_all_mongods_are_down_for_40_s(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """Acks never stop: they need Kafka alone."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        scene.note_logs()
        scene.mark_acks()
        for member in cluster.replica_set.members:
            cluster.replica_set.kill(member)
        await scene.wait(OUT_SECONDS)
        for member in cluster.replica_set.members:
            cluster.replica_set.start_again(member)
        await scene.until(lambda: cluster.replica_set.primary() is not None, "a primary", 120)
        scene.mark()
        tell("all mongods killed for 40 s (acks from the fault, counts from a primary on)", await scene.end(after=30))


async def test_the_only_broker_still_known_dies_for_good(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """Two are out at once and come back; then the third dies, the only one that a client's last metadata names."""
    first, second, third = cluster.brokers.members
    async with on_stage(cluster, tmp_path / "system") as scene:
        for broker in (first, second):
            cluster.brokers.kill(broker)
        await scene.wait(OUT_SECONDS)
        # The third is out of reach before the others are back, so that nobody learns from it where they are.
        await scene.fault()
        cluster.brokers.kill(third)
        for broker in (first, second):
            cluster.brokers.start_again(broker)
        await scene.do(cluster.brokers.wait, [first, second])
        scene.mark()
        tell(
            "two brokers out for 40 s, then the third for good (from the return of the two)", await scene.end(after=60)
        )


async def test_workers_find_the_brokers_that_came_back(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """The same, but ingresses are started again, as an operator would who sees 503: now records wait for workers."""
    first, second, third = cluster.brokers.members
    async with on_stage(cluster, tmp_path / "system") as scene:
        for broker in (first, second):
            cluster.brokers.kill(broker)
        await scene.wait(OUT_SECONDS)
        scene.note_logs()
        cluster.brokers.kill(third)
        for broker in (first, second):
            cluster.brokers.start_again(broker)
        await scene.do(cluster.brokers.wait, [first, second])
        for ingress in scene.system.ingresses:
            scene.system.kill(ingress)
            scene.system.start(ingress)
        await scene.until_answers(scene.system.ingresses[0])
        scene.mark()
        tell("the same, with ingresses restarted (from their first answer)", await scene.end(after=90))
