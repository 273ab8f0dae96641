"""An outage of MongoDB in the console's log, and in what it says of itself."""

import pytest
from structlog.testing import capture_logs

from console.health import AWAY_PING_SECONDS, PING_SECONDS
from serving import outage
from tests.console.rig import Rig


@pytest.mark.parametrize("fault", ["away", "slow"])
async def test_an_outage_is_one_line_lost_and_one_back(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often MongoDB is asked meanwhile; a query that takes too long is no answer either."""
    rig = Rig()
    monkeypatch.setattr(rig.watch._outage, "_later", lambda _seconds, callback: callback() or (lambda: None))
    with capture_logs() as lines:
        await rig.watch.look()
        setattr(rig.store, fault, True)
        for _ in range(3):
            await rig.watch.look()
        assert 503 == (await rig.call("GET", "/readyz")).status
        setattr(rig.store, fault, False)
        for _ in range(3):
            await rig.watch.look()
    assert ["mongodb_lost", "mongodb_back"] == [line["event"] for line in lines]
    assert 200 == (await rig.call("GET", "/readyz")).status


def test_an_outage_is_noticed_in_seconds_and_its_end_sooner() -> None:
    assert AWAY_PING_SECONDS <= outage.STEADY_SECONDS < PING_SECONDS <= 10
