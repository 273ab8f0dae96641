"""Several things break at once, quickly: of this kind the one that `make test` tries too."""

from pathlib import Path

import pytest

from tests.faults.cluster.stage.scene import Cluster, Tell, on_stage

pytestmark = [pytest.mark.real, pytest.mark.slow]

OUT_SECONDS = 12


async def test_a_worker_an_ingress_and_a_broker_are_killed_at_once(
    cluster: Cluster, tmp_path: Path, tell: Tell
) -> None:
    """Only sums are checked: other tests share the machine, so no duration is certain."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        broker, worker, ingress = cluster.brokers.members[2], scene.system.workers[2], scene.system.ingresses[1]
        await scene.fault()
        cluster.brokers.kill(broker)
        scene.system.kill(worker)
        scene.system.kill(ingress)
        await scene.wait(OUT_SECONDS)
        cluster.brokers.start_again(broker)
        scene.system.start(worker)
        scene.system.start(ingress)
        tell("a worker, an ingress and a broker killed at once, back after 12 s", await scene.end(after=5), sums=True)
