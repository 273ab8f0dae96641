"""Brokers move, hang and die while an ingress runs: its answers and its readiness."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.local.servers.ports import any_free
from tests.ingress.real import Running, config, declare, ingress_process, make_topic, now_millis, until_ready
from tests.ingress.rig import batch, period, update
from tests.kafka.brokers import Broker, lone_broker
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with lone_broker(tmp_path / "broker") as running:
        yield running


def body(request_id: int) -> bytes:
    now = now_millis()
    return batch(period(update(), start=now - 60_000, end=now), request_id=str(request_id), sent_millis=now)


def said(running: Running, *events: str) -> list[dict[str, Any]]:
    """The lines of the log with these events."""
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    return [line for line in lines if line["event"] in events]


async def until_lost(running: Running, session: aiohttp.ClientSession) -> None:
    """Until /readyz misses Kafka, for both topics."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not {"kafka", "kafka analytics"} <= set(await running.missing(session)):  # noqa: ASYNC110 another process
            await asyncio.sleep(0.05)


async def until_back(running: Running) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not said(running, "kafka_back"):  # noqa: ASYNC110 the same
            await asyncio.sleep(0.05)


async def test_a_broker_that_comes_back_at_another_address_is_found_by_the_settings(
    servers: Servers, broker: Broker, tmp_path: Path
) -> None:
    """What the client knew of the cluster is gone for good; only bootstrap_servers names the new address."""
    name = f"moved-{uuid.uuid4().hex[:8]}"
    before, other = broker.address(), any_free()
    await make_topic(before, name)
    declare(servers.mongodb, name)
    file = config(tmp_path, f"{before},127.0.0.1:{other}", servers.mongodb, name, apply_timeout_seconds=0)
    with ingress_process(file) as running:
        async with aiohttp.ClientSession() as session:
            await until_ready(running, session)
            assert (await running.post(session, body(1)))[0] == 200
            await asyncio.to_thread(broker.stop)
            await until_lost(running, session)
            broker.ports["INSIDE"] = other
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(broker.wait)
            await until_ready(running, session)
            assert (await running.post(session, body(2)))[0] == 200
            await until_back(running)
    lost, back = said(running, "kafka_lost", "kafka_back")
    assert lost["reason"] == f"{before}, 127.0.0.1:{other}: connection refused"
    assert back["seconds"] > 0


async def test_a_broker_frozen_longer_than_every_time_out_is_one_line_lost_and_one_back(
    servers: Servers, broker: Broker, tmp_path: Path
) -> None:
    name = f"frozen-{uuid.uuid4().hex[:8]}"
    await make_topic(broker.address(), name)
    declare(servers.mongodb, name)
    settings = {"publish_deadline_seconds": 1, "apply_timeout_seconds": 0}
    with ingress_process(config(tmp_path, broker.address(), servers.mongodb, name, **settings)) as running:
        async with aiohttp.ClientSession() as session:
            await until_ready(running, session)
            assert (await running.post(session, body(1)))[0] == 200
            with broker.frozen():
                status, _, answer = await running.post(session, body(2))
                await until_lost(running, session)
            assert (status, answer["error"]["status"]) == (503, "UNAVAILABLE")
            await until_ready(running, session)
            assert (await running.post(session, body(2)))[0] == 200
            await until_back(running)
    lost, back = said(running, "kafka_lost", "kafka_back")
    assert lost["reason"] == f"no ack within 1 s of partition 0 of {name}, led by {broker.address()}"
    assert back["seconds"] > 1
