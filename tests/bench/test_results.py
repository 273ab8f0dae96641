"""What benchmarks make of their figures: ratios, goals, and the table of bench/RESULTS.md."""

from pathlib import Path

import pytest

from bench import table
from bench.all import PROGRAMS, QUICK
from bench.figures import Figure, figure, interleaved, ratio
from bench.goals import GOALS, Goal
from bench.outcome import Noise, Outcome

MEASURED = {
    "ours": [{"rate": 30.0}, {"rate": 10.0}, {"rate": 20.0}],
    "theirs": [{"rate": 10.0}, {"rate": 10.0}, {"rate": 40.0}],
}


async def test_rounds_are_interleaved() -> None:
    """What is compared was measured one after the other."""
    order = []

    async def measure(subject: str, number: int) -> dict[str, float]:
        order.append((subject, number))
        return {"rate": number}

    measured = await interleaved(("a", "b"), 2, measure)
    assert [("a", 0), ("b", 0), ("a", 1), ("b", 1)] == order
    assert {"a": [{"rate": 0}, {"rate": 1}], "b": [{"rate": 0}, {"rate": 1}]} == measured


def test_a_ratio_is_of_medians_and_its_spread_of_rounds() -> None:
    """One slow round changes the spread, not the figure."""
    assert Figure(20, 10, 30) == figure(MEASURED, "rate", "ours")
    assert Figure(2, 0.5, 3) == ratio(MEASURED, "rate", "ours", "theirs")


@pytest.mark.parametrize(("field", "against"), [("cpu", "theirs"), ("rate", "others")])
def test_what_was_not_measured_has_no_ratio(field: str, against: str) -> None:
    """A subject that was left out is no error."""
    assert ratio(MEASURED, field, "ours", against) is None


def test_what_was_too_short_to_measure_has_no_ratio() -> None:
    """CPU time has a resolution of 10 ms."""
    assert ratio({**MEASURED, "theirs": [{"rate": 0.0}]}, "rate", "ours", "theirs") is None


def test_every_goal_is_measured_by_make_bench() -> None:
    """Once each, with one bound."""
    names = {goal.bench.replace(":", "-") for goal in GOALS}
    assert set(PROGRAMS) == set(QUICK) == names
    assert len(GOALS) == len({goal.key for goal in GOALS})
    assert [] == [goal for goal in GOALS if (goal.at_least is None) == (goal.at_most is None)]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page and a file of rows, and two goals."""
    monkeypatch.setattr(table, "PAGE", tmp_path / "page")
    monkeypatch.setattr(table, "RESULTS", tmp_path / "rows.json")
    goals = (
        Goal("drain", "as fast", "rate", "ours", "theirs", at_least=3),
        Goal("drain", "quick", "rate", "ours", at_most=25, unit=" ms"),
        Goal("drain", "as fast as a third", "rate", "ours", "third", at_least=1),
        Goal("other", "never run", "rate", "ours", at_least=1),
    )
    monkeypatch.setattr(table, "GOALS", goals)
    monkeypatch.setattr(table, "goals_of", lambda bench: [goal for goal in goals if goal.bench == bench])
    begin, end = table.MARKS
    table.PAGE.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    return table.PAGE


def outcome(commit: str) -> Outcome:
    left_out = {"third": "no network"}
    return Outcome(
        "drain", MEASURED, Noise(0.5, 0.02), left_out, "python -m bench.drain", commit, "2026-11-28T10:00:00"
    )


def test_the_page_has_a_row_for_each_goal(page: Path) -> None:
    """Reached, missed, left out, never run; the text around them stays."""
    table.write_results(table.read_results().with_run(outcome("abc")))
    lines = page.read_text().splitlines()
    assert ["before", "after"] == [lines[0], lines[-1]]
    assert "old" not in lines
    about = " | abc | 2026-11-28 | 0.5, 0.02 cores |"
    assert [
        "| as fast | >= 3 | 2.00 | 0.50 to 3.00 | **no** | " + about,
        "| quick | <= 25 ms | 20.0 ms | 10.0 to 30.0 | yes | " + about,
        "| as fast as a third | >= 1 | left out: no network |  |  | " + about,
        "| never run | >= 1 | not measured yet |  |  |  |  |  |  |",
    ] == [line for line in lines if line.startswith("|")][2:]


def test_a_run_names_the_figures_that_it_replaces(page: Path) -> None:
    """They are read from the file that the last run wrote."""
    for commit in ("abc", "def"):
        table.write_results(table.read_results().with_run(outcome(commit)))
    assert {"drain rate ours / theirs": "2.00 (abc)", "drain rate ours": "20.0 (abc)"} == table.read_results().earlier
    assert "| as fast | >= 3 | 2.00 | 0.50 to 3.00 | **no** | 2.00 (abc) | def |" in page.read_text()
