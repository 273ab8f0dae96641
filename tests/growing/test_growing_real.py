"""The system grows and is restarted under load, one short time each: nothing is lost, and nothing counts twice."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPORT
from tests.growing.stage import RESENT, Figures, Stage, on_stage, until
from tests.servers import Servers

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

BEFORE, AFTER = 2, 5


async def add_partitions(stage: Stage) -> None:
    ran = await stage.system.run("init", "--partitions", str(AFTER))
    assert 0 == ran.status, ran.out + ran.err
    assert f"partitions added: {AFTER}, were {BEFORE}" in ran.out


async def until_used(stage: Stage) -> set[int]:
    """The partitions of events.record that acknowledged batches went to, once they are all of them."""
    used: set[int] = set()

    def all_used() -> bool:
        used.update(one.where[1] for one in stage.load.ledger.acknowledged if one.where and one.api == "games")
        return len(used) == AFTER

    await until(all_used, f"only partitions {used} are used")
    return used


async def test_a_system_that_grows_and_is_restarted_under_load_counts_everything_once(
    servers: Servers, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Partitions are added; then each worker and each ingress is restarted. Old requests are sent again after each."""
    figures: list[Figures] = []
    async with on_stage(servers, tmp_path / "system", workers=2, partitions=BEFORE) as stage:
        early = stage.load.ledger.acknowledged[:RESENT]

        async def grow() -> None:
            await add_partitions(stage)
            await until_used(stage)

        figures.append(await stage.during("partitions added", grow))
        await stage.resend(early)
        figures.append(await stage.during("workers restarted", lambda: stage.restart(stage.system.workers)))
        figures.append(await stage.during("ingresses restarted", lambda: stage.restart(stage.system.ingresses)))
        await stage.resend(early)
        assert {"applied": RESENT} == await stage.receipts(early)
        refused = await stage.system.run("init", "--partitions", str(BEFORE))
        assert 2 == refused.status
        assert f"has {AFTER} partitions, and Kafka can't remove any: {BEFORE} is refused" in refused.err
        await stage.counted()
        ran = await stage.system.run("verify", "--json")
        assert 0 == ran.status, ran.out + ran.err
        read = Counter(one["topic"] for one in json.loads(ran.out)["ranges"])
        assert set(read.values()) == {AFTER}
    record_property(REPORT, "\n".join(one.text() for one in figures))
