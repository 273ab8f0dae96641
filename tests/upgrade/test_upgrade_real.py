"""From the previous release to this one, and back, while the system is under load.

The previous release writes the topics, the documents and the receipts. Then each process is replaced in the order of
docs/scaling.md: init, workers, ingresses. So each of them is restarted under load.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.checkpoints import LAYOUT
from schemas.documents import LINEAGES
from tests.conftest import REPORT
from tests.growing.stage import RESENT, Stage, on_stage
from tests.servers import Servers
from tests.upgrade.previous import previous_release, runs

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

BEFORE, AFTER = 2, 5


async def replace_all(stage: Stage, code: Path | None = None) -> None:
    """Workers first: they read what any ingress writes. By default with this version."""
    for process in (*stage.system.workers, *stage.system.ingresses):
        runs(process, *([code] if code else []))
        await stage.restart([process])


async def test_a_system_of_the_previous_release_is_upgraded_and_grows_under_load(
    servers: Servers, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Counts go on, ids and receipts hold in whatever partition they come again, and a recount agrees with all sums."""
    code = previous_release(tmp_path)
    async with on_stage(servers, tmp_path / "system", workers=2, partitions=BEFORE, code=code, drain=1) as stage:
        assert not [one async for one in stage.database[LINEAGES].find({"layout": {"$exists": True}})]
        early = stage.load.ledger.acknowledged[:RESENT]
        await command(stage, "init")
        assert {LAYOUT} == {one["layout"] async for one in stage.database[LINEAGES].find()}
        replaced = await stage.during("every process replaced", lambda: replace_all(stage))

        async def grow() -> None:
            assert f"partitions added: {AFTER}, were {BEFORE}" in await command(stage, "init", "--partitions", AFTER)
            await stage.until_used(AFTER)

        grown = await stage.during("partitions added", grow)
        await stage.resend(early)
        assert {"applied": RESENT} == await stage.receipts(early)
        await stage.counted()
        assert f"/{AFTER - 1:02}" in await command(stage, "verify")
    record_property(REPORT, f"{replaced.text()}\n{grown.text()}")


@pytest.mark.faults
async def test_an_upgrade_is_taken_back_under_load(servers: Servers, tmp_path: Path) -> None:
    """The previous release goes on with what this version wrote, and old and new processes share the topics."""
    code = previous_release(tmp_path)
    async with on_stage(servers, tmp_path / "system", workers=2, partitions=4) as stage:
        mixed = (stage.system.workers[0], stage.system.ingresses[1])
        for process in mixed:
            runs(process, code)
        await stage.restart(mixed)
        early = stage.load.ledger.acknowledged[:RESENT]
        await stage.resend(early)
        await replace_all(stage, code)
        await stage.resend(early)
        assert {"applied": RESENT} == await stage.receipts(early)
        await stage.counted()
        await command(stage, "verify")


async def command(stage: Stage, *words: object) -> str:
    ran = await stage.system.run(*map(str, words))
    assert 0 == ran.status, ran.out + ran.err
    return ran.out
