"""What `status` asks real servers, and prints about records that retention removed before they were counted."""

import asyncio
from typing import Any

from ops.config import Settings
from ops.local.servers.ports import any_free
from ops.local.status import balance
from ops.local.status.health import Health
from ops.local.status.probes import READY, Answer
from ops.local.status.server_probes import kafka_state, mongodb_state
from tests.consumer.kafka.test_positions_real import at_work, remove_below
from tests.consumer.sums import counting, send, until_applied
from tests.real import place
from tests.servers import Servers


async def asked(settings: Settings) -> dict[str, Any]:
    """As `status` asks, in a thread, but without its time-out: a test machine is slow."""
    return await asyncio.to_thread(lambda: _told(settings))


def _told(settings: Settings) -> dict[str, Any]:
    found, losses = asyncio.run(balance._ask(settings))
    return {"balance": {topic: {"holds": one.holds} for topic, one in found.items()}, **balance.told(losses)}


async def test_records_that_were_lost_are_the_first_that_status_says(servers: Servers) -> None:
    """The balance still adds up, because removed records count as in flight."""
    async with place(servers, partitions=1) as where:
        await send(where.settings, [counting(0, number) for number in range(10)])
        async with at_work(where):
            await until_applied(where, 10)
        assert [] == Health([], await asked(where.settings)).problems
        await send(where.settings, [counting(0, number) for number in range(10, 20)])
        await remove_below(where, 0, 17)
        first, *_ = Health([], await asked(where.settings)).problems
    assert first.startswith("LOST: ")
    assert "offsets 10 to 16 were removed from the log before they were counted: up to 7 records" in first


async def test_real_servers_are_asked_and_no_topic_is_made_by_it(servers: Servers) -> None:
    """One broker of those that are set is enough."""
    async with place(servers) as where:
        kafka = where.settings.kafka
        assert READY == await asyncio.to_thread(kafka_state, where.settings)
        assert READY == await asyncio.to_thread(mongodb_state, where.settings)
        missing = f"{kafka.records_topic}-none"
        addresses = f"127.0.0.1:{any_free()},{servers.kafka}"
        changed = kafka.model_copy(update={"records_topic": missing, "bootstrap_servers": addresses})
        settings = where.settings.model_copy(update={"kafka": changed})
        expected = Answer("not ready", f"topic {missing} is missing: run `tallymill init`")
        for _ in range(2):  # the first question has made none
            assert expected == await asyncio.to_thread(kafka_state, settings)
