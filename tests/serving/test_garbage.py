"""The garbage collector of every process: it looks seldom, and never again at what the process was made of."""

import gc
import sys
from pathlib import Path
from subprocess import run

import pytest

from serving.garbage import NEW_OBJECTS

ROOT = Path(__file__).parents[2]


def test_what_was_made_before_is_not_searched_again() -> None:
    """In a process of its own: freezing can't be taken back for what pytest has made."""
    code = "import gc; from serving import garbage; kept = [[] for _ in range(1000)]; garbage.settle();"
    code += "print(gc.get_threshold()[0], gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000)"
    done = run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"{NEW_OBJECTS} True True" == done.stdout.strip()
    assert gc.isenabled()


@pytest.mark.parametrize("process", ["ingress", "consumer", "console"])
def test_every_process_sets_it(process: str) -> None:
    """Before it serves."""
    assert (ROOT / process / "server.py").read_text().count("garbage.settle()") == 1
