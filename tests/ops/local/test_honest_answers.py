"""Answers of commands that must not read like another one."""

import os
import subprocess
from pathlib import Path

import pytest

from ops.definitions import command as definitions
from ops.guard import guarded
from ops.local.servers.processes import own_command
from ops.verify.report import Differences, Range, Report, Tally, as_text
from tests.ops.running import use
from tests.patience import PATIENCE_SECONDS
from tests.real import settings_of
from tests.servers import Servers

RANGE = Range("r1/00", "t", 0, 0, 9, whole=True)


@pytest.mark.parametrize(
    ("tallies", "words"),
    [([], "nothing was recounted"), ([Tally()], "nothing was recounted"), ([Tally({"applied": 1})], "no difference")],
)
def test_no_difference_is_said_of_records_only(tallies: list[Tally], words: str) -> None:
    """An empty topic proves nothing."""
    report = Report([RANGE][: len(tallies)], tallies, Differences(), 0, 0.1)
    assert as_text(report).splitlines()[-1].startswith(words)


def test_an_app_without_events_is_told(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be misspelt. So may one that can't be an app's name."""
    use(settings_of(servers), tmp_path, monkeypatch)
    assert 2 == guarded(definitions.show_list("nope", as_json=True))
    told = capsys.readouterr()
    assert ("", True) == (told.out, "nope" in told.err), told
    assert 2 == guarded(definitions.show_list("no pe", as_json=True))
    assert "--app no pe: " in capsys.readouterr().err


@pytest.mark.slow
def test_no_client_library_speaks_to_a_terminal() -> None:
    """If Kafka is unavailable, its client logs each try. The command prints only the result."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TALLYMILL_")}
    nowhere = {"TALLYMILL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "TALLYMILL_DATA": os.devnull}
    ran = subprocess.run(
        own_command("doctor", "--json"),
        env=own | nowhere,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert (1, "") == (ran.returncode, ran.stderr)
