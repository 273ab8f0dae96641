"""An outage of MongoDB in the log of a worker process: lost, and back, whatever it was doing."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.consumer.processes import WorkerProcess, workers
from tests.consumer.sums import assert_exact, counting, send, until_applied
from tests.frozen import frozen
from tests.mongodb.own import own_mongod
from tests.real import place
from tests.servers import Servers

pytestmark = pytest.mark.real

PARTITIONS = 4


def outages(worker: WorkerProcess) -> list[dict[str, Any]]:
    """All lines of the log about servers that don't answer."""
    found = [json.loads(line) for line in worker.said().splitlines() if line.startswith("{")]
    told = ("mongodb_lost", "mongodb_back", "unavailable", "available again")
    return [line for line in found if line["event"] in told and "Kafka" not in str(line)]


async def test_a_frozen_and_a_killed_mongodb_are_two_lines_each(servers: Servers, tmp_path: Path) -> None:
    """With records in every partition, so that many calls fail at once."""
    first, second, third = (
        [counting(number % PARTITIONS, number) for number in range(low, low + 40)] for low in (12, 100, 200)
    )
    with own_mongod(tmp_path) as mongod:
        await mongod.is_primary()
        own = Servers(servers.kafka, mongod.where.uri)
        async with place(own, partitions=PARTITIONS, max_flush_records=5) as where:
            with workers(tmp_path / "workers", where.settings) as started:
                worker = started.start()
                await send(where.settings, first)
                await until_applied(where, len(first))
                with frozen(mongod.child.pid):
                    await send(where.settings, second)
                    await worker.says("mongodb_lost")
                await worker.says("mongodb_back")
                await until_applied(where, len(first) + len(second))
                mongod.kill()
                await send(where.settings, third)
                await worker.says("mongodb_lost", times=2)
                await mongod.start_again()
                await worker.says("mongodb_back", times=2)
                await until_applied(where, len(first) + len(second) + len(third))
                await assert_exact(where, [*first, *second, *third])
                told = outages(worker)
        assert ["mongodb_lost", "mongodb_back"] * 2 == [line["event"] for line in told], told
        assert f"{mongod.where.address}: no answer in time" == told[0]["reason"]
        assert f"{mongod.where.address}: " in told[2]["reason"]
        assert told[1]["seconds"] > 5
        assert "Traceback" not in worker.said()
        assert "TopologyDescription" not in worker.said()
