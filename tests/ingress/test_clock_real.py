"""An ingress whose clock is off, on real servers: its log, its readiness, and its recovery."""

import asyncio
import json
import math
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.ingress import serve_shifted
from tests.ingress.real import Running, config, declare, ingress_process, make_topic, now_millis, until_ready
from tests.ingress.rig import batch, period, update
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

TEN_MINUTES_MILLIS = 600_000
Found = dict[str, float]


def is_ten_minutes(seconds: float) -> bool:
    """The certain skew is less by the time of an answer, which is seconds on a busy machine."""
    return TEN_MINUTES_MILLIS / 1000 - PATIENCE_SECONDS < seconds <= TEN_MINUTES_MILLIS / 1000 + 1


async def skews(running: Running, session: aiohttp.ClientSession) -> Found:
    async with session.get(f"{running.url}/metrics") as response:
        families = text_string_to_metric_families(await response.text())
    found = {f.name: f for f in families}["tallymill_ingress_clock_skew_seconds"]
    return {sample.labels["server"]: sample.value for sample in found.samples}


async def until_skews(running: Running, session: aiohttp.ClientSession, holds: Callable[[Found], bool]) -> Found:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds(found := await skews(running, session)):  # noqa: ASYNC110 another process
            await asyncio.sleep(0.1)
    return found


def said(running: Running, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


async def until_said(running: Running, event: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := said(running, event)):  # noqa: ASYNC110 another process
            await asyncio.sleep(0.1)
    return found


async def test_an_ingress_whose_clock_is_ten_minutes_off_says_so_and_is_not_ready_until_it_is_set(
    servers: Servers, tmp_path: Path
) -> None:
    """Wrong at its start, right later without a restart. It notices that although it gets no requests meanwhile."""
    name = f"clock-{uuid.uuid4().hex[:8]}"
    await make_topic(servers.kafka, name)
    declare(servers.mongodb, name)
    shift = tmp_path / "shift"
    shift.write_text(str(TEN_MINUTES_MILLIS))
    file = config(tmp_path, servers.kafka, servers.mongodb, name)
    async with aiohttp.ClientSession() as session:
        with ingress_process(file, serve_shifted.__file__, str(shift)) as running:
            (off,) = await until_said(running, "clock_off")
            assert ("this machine", "warning") == (off["whose"], off["level"])
            assert is_ten_minutes(off["ahead_seconds"])
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await running.missing(session) != ["clock"]:  # noqa: ASYNC110 another process
                    await asyncio.sleep(0.1)
            shift.write_text("0")
            await until_ready(running, session)
            assert 1 == len(await until_said(running, "clock_right"))
            assert 1 == len(said(running, "clock_off"))


async def test_a_clock_that_goes_off_at_work_is_noticed_by_the_acks_of_kafka(servers: Servers, tmp_path: Path) -> None:
    """Both servers say the same: the clock is ahead by ten minutes, to the second."""
    name = f"clock-{uuid.uuid4().hex[:8]}"
    await make_topic(servers.kafka, name)
    declare(servers.mongodb, name)
    shift = tmp_path / "shift"
    shift.write_text("0")
    file = config(tmp_path, servers.kafka, servers.mongodb, name, apply_timeout_seconds=0)

    def body(request_id: int) -> bytes:
        now = now_millis()
        return batch(period(update(), start=now - 2_000, end=now - 1_000), request_id=request_id, sent_millis=now)

    async with aiohttp.ClientSession() as session:
        with ingress_process(file, serve_shifted.__file__, str(shift)) as running:
            await until_ready(running, session)
            assert 200 == (await running.post(session, body(1)))[0]
            right = await until_skews(running, session, lambda found: not math.isnan(found["kafka"]))
            assert all(abs(skew) < 1 for skew in right.values())
            shift.write_text(str(-TEN_MINUTES_MILLIS))
            assert 200 == (await running.post(session, body(2)))[0]
            assert is_ten_minutes(-(await skews(running, session))["kafka"])
            await until_skews(running, session, lambda found: is_ten_minutes(-found["mongodb"]))
            (off,) = await until_said(running, "clock_off")
            assert "this machine" == off["whose"]
            assert ["clock"] == await running.missing(session)
