"""A frozen primary: how long until writes succeed again, with the client that every process uses."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from pymongo.errors import PyMongoError

from ops.local.servers.processes import Children
from schemas.settings import MongoSettings
from serving.mongodb.client import new_client
from tests.faults.replica_set import ReplicaSet
from tests.frozen import frozen

# It measures a time, which a busy machine lengthens: it is left to `make faults`.
pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.faults]

# Connect and heartbeat time-outs come to eight seconds; the election of this set takes one or two.
MOST_SECONDS = 20
GIVE_UP_SECONDS = 100


async def test_a_frozen_primary_costs_seconds(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    with Children(tmp_path / "logs") as children:
        replica_set = ReplicaSet.start(children, tmp_path)
        settings = MongoSettings(uri=SecretStr(replica_set.uri))
        async with new_client(settings, "test") as client:
            players = client["game"]["players"]
            await players.insert_one({"n": 0})
            primary = replica_set.primary()
            assert primary
            with frozen(primary.child.pid):
                began = time.monotonic()
                async with asyncio.timeout(GIVE_UP_SECONDS):
                    while not await _is_written(players.insert_one({"n": 1})):  # noqa: ASYNC110 MongoDB has no event
                        await asyncio.sleep(0.05)
                took = time.monotonic() - began
        children.kill_all()
    record_property("report", f"a frozen primary: writes go on after {took:.1f} s")
    assert took < MOST_SECONDS


async def _is_written(insert: Awaitable[object]) -> bool:
    try:
        await insert
    except PyMongoError:
        return False
    return True
