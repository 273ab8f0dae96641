"""docs/scaling.md: each program of it exists with these options, and what can be computed from its figures is right."""

import re
import runpy
import shlex
import sys

import pytest

from ops.reference import ROOT
from schemas.checkpoints import LAYOUT

PAGE = (ROOT / "docs" / "scaling.md").read_text()
SECONDS_A_DAY = 86_400


def commands(word: str) -> list[str]:
    """Whole commands that begin with this word: lines of their own, and those in backticks."""
    own_lines = re.findall(rf"^ +({word} .+)$", PAGE, re.MULTILINE)
    return sorted({*own_lines, *(" ".join(one.split()) for one in re.findall(rf"`({word} [^`]+)`", PAGE))})


@pytest.mark.parametrize("line", commands("python"))
def test_a_program_of_the_page_exists(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    python, option, module, *options = shlex.split(line)
    assert ("python", "-m") == (python, option)
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "argv", [module, *options, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert 0 == ended.value.code


def test_the_page_names_the_layout_of_this_version() -> None:
    assert f"and it is {LAYOUT} now" in PAGE


def test_the_sums_of_the_table_of_disks_are_right() -> None:
    """Ids of 14 days, the log of 7, at the bytes that the table above it names."""
    rows = re.findall(
        r"^\| ([\d,]+) \| ([\d.]+) million \| ([\d.]+) (GB|TB) \| ([\d.]+) (GB|TB) \|$", PAGE, re.MULTILINE
    )
    assert 3 == len(rows)
    unit = {"GB": 1e9, "TB": 1e12}
    for rate, a_day, ids, ids_unit, log, log_unit in rows:
        batches = int(rate.replace(",", "")) * SECONDS_A_DAY
        assert batches == pytest.approx(float(a_day) * 1e6, rel=0.01)
        assert 14 * batches * 139 == pytest.approx(float(ids) * unit[ids_unit], rel=0.03)
        assert 7 * batches * 131 == pytest.approx(float(log) * unit[log_unit], rel=0.03)


def test_the_sums_of_the_table_of_items_are_right() -> None:
    rows = re.findall(r"^\| ([\d,]+) \| ([\d.]+) million \| ([\d.]+) (GB|TB) \|$", PAGE, re.MULTILINE)
    assert 2 == len(rows)
    for rate, a_day, stored, unit in rows:
        items = int(rate.replace(",", "")) * SECONDS_A_DAY
        assert items == pytest.approx(float(a_day) * 1e6, rel=0.01)
        assert 97 * items * 190 == pytest.approx(float(stored) * {"GB": 1e9, "TB": 1e12}[unit], rel=0.03)
