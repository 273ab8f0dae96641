"""Which clock decides about stored times."""

import re
from pathlib import Path

import pytest

from ops.reference import ROOT

# What writes times into MongoDB, or refuses by a record's age. Passing time is another matter: time.monotonic().
STORES = ("ops/definitions", "ops/lineage", "ops/dead_letters", "ops/titles")
OWN_CLOCK = re.compile(r"\b(datetime|date)\.(now|utcnow|today)\b|\btime\.time(_ns)?\b|\bfrom time import\b")


FILES = [file for name in STORES for file in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_operator_s_clock_decides_what_is_stored(path: Path) -> None:
    """MongoDB's does: `$$NOW` in an update, or server_now()."""
    assert not OWN_CLOCK.search(path.read_text())
