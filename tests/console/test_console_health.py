"""An outage of MongoDB in the console's log and in /readyz."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from console import health, server
from console.config import ConsoleConfig
from console.health import LOST_PING_SECONDS, PING_SECONDS
from console.observer.loop import Observer
from console.ports import TooSlow, Unavailable
from serving import outage
from tests.console.rig import Rig
from tests.patience import PATIENCE_SECONDS


@pytest.mark.parametrize("failure", [Unavailable, TooSlow])
async def test_an_outage_is_one_line_lost_and_one_back(
    failure: type[Unavailable | TooSlow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many pings fail. A ping that takes too long fails too."""
    rig = Rig()
    monkeypatch.setattr(rig.watch._outage, "_later", lambda _seconds, callback: callback() or (lambda: None))
    with capture_logs() as lines:
        await rig.watch.check()
        rig.store.failure = failure
        for _ in range(3):
            await rig.watch.check()
        assert 503 == (await rig.call("GET", "/readyz")).status
        rig.store.failure = None
        for _ in range(3):
            await rig.watch.check()
    assert ["mongodb_lost", "mongodb_back"] == [line["event"] for line in lines]
    assert 200 == (await rig.call("GET", "/readyz")).status


def test_an_outage_is_noticed_in_seconds_and_its_end_sooner() -> None:
    assert LOST_PING_SECONDS <= outage.STEADY_SECONDS < PING_SECONDS <= 10


@pytest.mark.parametrize(("away", "sleeps"), [(True, LOST_PING_SECONDS), (False, PING_SECONDS)])
async def test_mongodb_is_pinged_more_often_while_it_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, *, away: bool, sleeps: float
) -> None:
    rig, slept = Rig(), asyncio.get_running_loop().create_future()
    rig.store.failure = Unavailable if away else None

    async def sleep(seconds: float) -> None:
        slept.set_result(seconds)
        await asyncio.Event().wait()

    monkeypatch.setattr(health, "asyncio", SimpleNamespace(sleep=sleep))
    running = asyncio.create_task(rig.watch.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert sleeps == await slept
    running.cancel()
    await asyncio.wait((running,))


async def test_a_process_asks_whether_mongodb_answers(tmp_path: Path) -> None:
    """Otherwise the process would never be ready."""
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": []}))
    tokens = {"issuer": "https://issuer.example", "audience": "a", "jwks": str(keys)}
    config = {"mongodb": {"uri": "mongodb://127.0.0.1:1"}, "tokens": tokens, "console": {"port": 0}}
    process = server._build(ConsoleConfig.model_validate(config), 8090)
    for close in process.closing:
        await close()
    assert isinstance(process.sides.observer, Observer)
    assert {process.watch.run, process.sides.observer.run} <= set(process.background_tasks)
