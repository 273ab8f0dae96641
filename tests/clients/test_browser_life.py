"""The browser of the tests: there or an error, and gone with the run that started it."""

import json
import time
from pathlib import Path

import pytest

from ops.local.servers.fetch import FetchError
from tests.clients.browser import chromium, serving
from tests.clients.programs import program
from tests.ops.local.servers.test_processes import goes


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [one for child in children for one in (int(child), *descendants(int(child)))]


@pytest.mark.slow
@pytest.mark.timeout(600)  # npm's first fetch, and apt's, is part of it
def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    """Its end of the driver's input is closed then, here in the middle of a page's script that never ends."""
    with serving() as site, chromium(tmp_path / "browser.log") as browser:
        browser.visitor()
        tab = browser.open(site.elsewhere)
        endless = {"step": "run", "page": tab.number, "script": "new Promise(() => {})"}
        assert browser.process.stdin
        browser.process.stdin.write(json.dumps(endless) + "\n")
        browser.process.stdin.flush()
        time.sleep(0.1)  # until the driver is at it; before that, its end is easier
        left = [browser.process.pid, *descendants(browser.process.pid)]
        browser.process.stdin.close()
        assert len(left) > 3
        assert [] == [pid for pid in left if not goes(pid)]


def test_a_browser_that_cannot_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error says what is missing. Nothing is skipped."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match=r"a browser runs them.*on Debian: chromium"):
        program("chromium")
