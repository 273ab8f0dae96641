"""The observer while one of three brokers stands still: what the others know is known."""

import pytest

from console.observer.snapshot import Snapshot
from tests.console.observer.test_observer_real import games, observer_of, until
from tests.faults.cluster.stage.scene import Cluster
from tests.real import place
from tests.servers import Servers

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(300)]


def unknown(snapshot: Snapshot) -> list[int]:
    """The partitions whose end is not known."""
    return [one.partition for one in games(snapshot).partitions if one.end is None]


async def test_a_frozen_broker_makes_only_its_own_partitions_unknown(cluster: Cluster) -> None:
    """Each partition has one replica here. The sums are unknown, never the sums of the rest."""
    async with (
        place(Servers(cluster.brokers.bootstrap, cluster.mongodb), partitions=6) as where,
        observer_of(where.settings) as observer,
    ):
        await until(observer, lambda one: one.state == "well")
        frozen = cluster.brokers.members[1]
        cluster.brokers.freeze(frozen)
        try:
            found = await until(observer, lambda one: len(unknown(one)) == 2)
            assert ("degraded", None, None) == (found.state, games(found).accepted, games(found).lag_records)
            assert "can't be read: the leader does not answer" in found.reasons[0]
            assert 4 == sum(one.lag_records == 0 for one in games(found).partitions)
            for _ in range(3):
                await observer.step()
                assert "degraded" == observer.snapshot.state, observer.snapshot.reasons
        finally:
            cluster.brokers.thaw(frozen)
        await until(observer, lambda one: one.state == "well")
