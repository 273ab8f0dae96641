"""Who must wait (G17): by the sender's rate, and by the lag of the partition of its records."""

from dataclasses import replace
from typing import Any

import pytest

from ingress.http.rate_limit import MovingWindow
from schemas.coordinates import Coordinates
from schemas.settings import Limits
from tests.ingress.rig import NOW, Rig, period, token, update
from tests.samples import item, pool

PLAYERS = [f"player{n}" for n in range(12)]


@pytest.fixture
async def behind() -> Rig:
    """An ingress with an uncounted record in each partition. Partition 1 stops, the others are counted."""
    rig = Rig(Limits(max_lag_seconds=10), apply_seconds=0)
    await rig.games.lineage.read()
    await rig.analytics.lineage.read()
    rig.worker.rests = rig.pool_worker.rests = True
    for topic in (rig.topic, rig.analytics_topic):
        topic._ends = [1] * 4
    for lineage, channel in (("r1", rig.games), ("r2", rig.analytics)):
        for partition in range(4):
            channel.watch.acked(Coordinates(lineage, partition, 0))
            if partition != 1:
                rig.store.count(Coordinates(lineage, partition, 0), "", {})
    rig.clock.skipped_seconds += 11
    for watch in (rig.games.watch, rig.analytics.watch):
        await watch.poll()
    return rig


def stands_still(rig: Rig, player: str) -> bool:
    return rig.topic.partition_of(f"demo/{player}".encode()) == 1


async def test_g17_a_partition_that_stands_still_refuses_for_itself_alone(behind: Rig) -> None:
    """Players of the other partitions are served, by both APIs."""
    assert {True, False} == {stands_still(behind, player) for player in PLAYERS}
    for player in PLAYERS:
        bearer = token(sub=player)
        batch_ = await behind.record(period(update()), authorization=f"Bearer {bearer}")
        failures = [one["failureCause"] for one in batch_.json["batchFailures"]]
        answer = await behind.add(pool(item("A", NOW)), bearer=bearer)
        if stands_still(behind, player):
            assert (["RECORD_RATE_HIGH"], "60") == (failures, batch_.headers["retry-after"])
            assert (429, "60") == (answer.status, answer.headers["retry-after"])
        else:
            assert ([], 200) == (failures, answer.status)
    assert 11 == behind.games.watch.lag_seconds()


async def test_g17_where_the_partition_is_not_known_the_furthest_behind_counts(behind: Rig) -> None:
    """Without a connection to Kafka nothing would be published anyway."""
    shared = behind.shared

    class Unconnected:
        def partition_of(self, _key: bytes) -> None:
            return None

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 anything of a publisher
            return getattr(behind.topic, name)

    identity = await shared.authenticator.identify(token(), NOW / 1000)
    channel = replace(behind.games, publisher=Unconnected())
    assert 60 == channel.wait_seconds(identity, shared.limits, 0)


def test_g17_what_is_foreseen_is_what_comes_and_counts_nothing() -> None:
    """The limits are checked before costly work, and again when it counts."""
    rates = MovingWindow(2, 10)
    for now in (0, 1, 2, 3, 11, 11.5, 12):
        foreseen = [rates.foreseen_seconds("a", now) for _ in range(3)]
        assert [rates.wait_seconds("a", now)] * 3 == foreseen
