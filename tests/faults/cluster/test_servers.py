"""One server is killed, hangs or is restarted: acks go on within 15 s, counts within 20 s, and nothing is lost."""

from pathlib import Path

import pytest

from tests.faults.cluster.stage.scene import Cluster, Tell, on_stage

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(600)]


async def test_a_broker_is_frozen_for_80_s(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """Its connections stay open and say nothing. Its leaders move when its session with the controller ends."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        broker = cluster.brokers.members[0]
        await scene.fault()
        cluster.brokers.freeze(broker)
        await scene.wait(80)
        cluster.brokers.thaw(broker)
        tell("a broker frozen for 80 s", await scene.end())


async def test_a_broker_is_killed(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    async with on_stage(cluster, tmp_path / "system") as scene:
        broker = cluster.brokers.members[1]
        await scene.fault()
        cluster.brokers.kill(broker)
        await scene.wait(30)
        cluster.brokers.start_again(broker)
        tell("a broker killed, back after 30 s", await scene.end())


async def test_the_primary_is_frozen_for_100_s(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    async with on_stage(cluster, tmp_path / "system") as scene:
        primary = cluster.replica_set.primary()
        assert primary
        await scene.fault()
        cluster.replica_set.freeze(primary)
        await scene.wait(100)
        cluster.replica_set.thaw(primary)
        tell("the primary frozen for 100 s", await scene.end())


async def test_the_primary_is_killed(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    async with on_stage(cluster, tmp_path / "system") as scene:
        await scene.fault()
        primary = cluster.replica_set.kill_primary()
        assert primary
        await scene.wait(30)
        cluster.replica_set.start_again(primary)
        tell("the primary killed, back after 30 s", await scene.end())


async def test_brokers_are_restarted_one_by_one(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """As an upgrade does it: each is back in sync before the next is stopped."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        await scene.fault()
        for broker in cluster.brokers.members:
            await scene.do(cluster.brokers.stop, broker)
            cluster.brokers.start_again(broker)
            await scene.do(cluster.brokers.wait, [broker])
            await scene.until_in_sync()
        tell("a rolling restart of the brokers", await scene.end())
