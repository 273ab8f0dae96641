"""The balance in `tallymill status`."""

import socket
from pathlib import Path
from typing import Any

import pytest

from ops.local.settings import to_toml
from ops.local.status.balance import balance_report, ended_below, unknown


def checkpoint(partition: int, start: int, following: int, gaps: int = 0, **fates: int) -> dict[str, Any]:
    none = dict.fromkeys(("applied", "duplicate", "refused", "dead"), 0)
    return {"_id": f"r1/{partition:02}", "start": start, "next": following, "gaps": gaps, "fates": {**none, **fates}}


def test_a_log_that_ends_below_its_checkpoint_is_known() -> None:
    """It was cut; a partition that is not there is another matter."""
    found = {one["_id"]: one for one in (checkpoint(0, 0, 9), checkpoint(1, 0, 9), checkpoint(2, 0, 9))}
    assert {"r1/01": 8} == ended_below(found, {0: (0, 9), 1: (3, 8)})


def test_without_settings_the_balance_is_unknown(tmp_path: Path) -> None:
    """Status says so, and prints what else it knows."""
    told = balance_report(tmp_path)
    assert told["balance"] is None
    assert "no file" in told["balance_why"]


@pytest.mark.slow
def test_servers_that_say_nothing_hold_it_up_for_a_moment(tmp_path: Path) -> None:
    """They take the connection and never answer: three seconds, and why."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        kafka, mongodb = {"bootstrap_servers": f"127.0.0.1:{port}"}, {"uri": f"mongodb://127.0.0.1:{port}"}
        (tmp_path / "settings.toml").write_text(to_toml({"kafka": kafka, "mongodb": mongodb}))
        balance_report(tmp_path)  # loads the clients
        told = balance_report(tmp_path)
    assert unknown("no answer within 3 s") == told
