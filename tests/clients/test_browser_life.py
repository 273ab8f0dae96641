"""The browser of the tests: there or an error, and gone with the run that started it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops.local.fetch import FetchError
from tests.clients.programs import program
from tests.clients.running import ROOT
from tests.ops.test_processes import gone_within

RUN = """
import sys
from pathlib import Path
from tests.clients.browser import chromium, serving

with serving() as site, chromium(Path(sys.argv[1])) as browser:
    browser.visitor()
    tab = browser.open(site.elsewhere)
    print(browser.process.pid, flush=True)
    tab.run("new Promise(() => {})")
"""


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [one for child in children for one in (int(child), *descendants(int(child)))]


@pytest.mark.slow
@pytest.mark.timeout(600)  # npm's first fetch, and apt's, is part of it
def test_nothing_outlives_a_run_that_was_killed(tmp_path: Path) -> None:
    """In the middle of a page's script that would never end."""
    words = [sys.executable, "-c", RUN, str(tmp_path / "browser.log")]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        driver = int(run.stdout.readline())
        time.sleep(0.1)  # until the driver is at it; before that, killing is easier
        left = [driver, *descendants(driver)]
        run.kill()
    assert len(left) > 3
    assert [] == [pid for pid in left if not gone_within(pid, 10)]


def test_a_browser_that_cannot_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It says what is wanted; nothing is skipped."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match=r"a browser runs them.*on Debian: chromium"):
        program("chromium")
