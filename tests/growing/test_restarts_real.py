"""Every worker, ingress and console of one system is restarted in turn under load, at a small scale.

test_changes_under_load.py makes each change at more load, in a system of its own. The figures of both are printed at
the end of the run; how long a busy machine takes is asserted in neither.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPORT
from tests.growing.crossing import bring_at_once, each_counted_once
from tests.growing.readers import dashboard
from tests.growing.stage import on_stage
from tests.servers import Servers

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

PARTITIONS = 4


async def test_every_process_is_restarted_under_load(
    servers: Servers, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """0 are lost, and clients that keep their connections and send again get no error. Then `verify` agrees.

    At the end, ids that come to all partitions at once count once.
    """
    async with (
        on_stage(servers, tmp_path / "system", workers=2, partitions=PARTITIONS, consoles=2, drain=1) as stage,
        dashboard(stage.system.consoles, stage.token("reader")) as reader,
    ):
        system, restart = stage.system, stage.restart
        workers = await stage.during("2 workers restarted", lambda: restart(system.workers), after=0)
        ingresses = await stage.during("2 ingresses restarted", lambda: restart(system.ingresses), after=0)
        consoles = await stage.during("2 consoles restarted", lambda: restart(system.consoles), after=0)
        record_property(REPORT, "\n".join(figures.text() for figures in (workers, ingresses, consoles)))
        assert 0 == reader.unanswered
        assert sorted(reader.sums) == reader.sums
        assert reader.sums[0] < reader.sums[-1]
        await stage.counted()
        await bring_at_once(stage, PARTITIONS)
        await each_counted_once(stage)
        verified = await system.run("verify")
        assert 0 == verified.status, verified.out + verified.err
