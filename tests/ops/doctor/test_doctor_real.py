"""The doctor's questions to real servers."""

import time

import pytest

from ops.doctor import clocks
from ops.doctor.check import Check
from ops.doctor.command import examine
from schemas.mongod_risks import LIFETIME
from tests.real import place
from tests.servers import Servers


async def test_real_servers_tell_their_clocks(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both agree with this machine's. If its own clock is set ten minutes ahead, that one is named."""
    async with place(servers) as where:
        assert ["ok"] * 3 == [check.state for check in await clocks.clocks(where.settings)]
        monkeypatch.setattr(clocks, "_now_millis", lambda: time.time_ns() // 1_000_000 + 600_000)
        own, *others = await clocks.clocks(where.settings)
    assert ("clock of this machine", "warning") == (own.what, own.state)
    assert "600 s ahead of Kafka's and MongoDB's" in own.detail
    assert ["ok", "ok"] == [check.state for check in others]


async def test_a_real_mongod_tells_how_long_a_transaction_may_live(servers: Servers) -> None:
    """As it is now, not as it was started."""
    async with place(servers) as where:

        async def found() -> Check:
            return next(check for check in await examine(where.settings) if check.what == "transactions")

        admin = where.database.client.admin
        before = await found()
        try:
            await admin.command({"setParameter": 1, LIFETIME: 60})
            changed = await found()
        finally:
            await admin.command({"setParameter": 1, LIFETIME: 15})
    assert ("ok", f"{LIFETIME} is 15") == (before.state, before.detail)
    assert "warning" == changed.state
    assert changed.detail.startswith(f"{LIFETIME} is 60: ")
