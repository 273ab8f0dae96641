"""A majority fails for a while. Nothing is promised meanwhile, and everything continues soon after its return."""

from pathlib import Path

import pytest

from tests.faults.cluster.stage.scene import Cluster, Scene, Tell, on_stage

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


async def only_the_third_is_known(scene: Scene) -> None:
    """Two brokers are out, come back and are in sync again; then the third dies for good.

    The third was the leader of everything in between and stayed it, so that no client had a reason to ask for metadata:
    what a client knows last is a cluster of the third alone.
    """
    brokers = scene.cluster.brokers
    first, second, third = brokers.members
    scene.note_logs()  # from here: an outage that begins with the two may end after the third has died
    for broker in (first, second):
        brokers.kill(broker)
    await scene.wait(OUT_SECONDS)
    for broker in (first, second):
        brokers.start_again(broker)
    await scene.do(brokers.wait, [first, second])
    await scene.until_in_sync()
    scene.mark()
    brokers.kill(third)


async def test_the_only_broker_still_known_dies_for_good(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    async with on_stage(cluster, tmp_path / "system") as scene:
        await only_the_third_is_known(scene)
        tell("two brokers out for 40 s and back, then the third for good", await scene.end(after=60))


async def test_workers_find_the_brokers_that_came_back(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """The ingresses are restarted, as an operator might at 503. Now records wait for workers."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        await only_the_third_is_known(scene)
        for ingress in scene.system.ingresses:
            scene.system.kill(ingress)
            scene.system.start(ingress)
        await scene.until_answers(scene.system.ingresses[0])
        scene.mark()
        tell("the same, with ingresses restarted (from their first answer)", await scene.end(after=90))
