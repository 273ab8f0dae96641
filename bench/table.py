"""The table of bench/RESULTS.md: each goal, what was measured last, and how quiet the machine was.

bench/results.json has its rows; the page is made from it, between two marks, and keeps the rest of its text.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.figures import Figure
from bench.goals import GOALS, Goal, goals_of
from bench.outcome import Outcome, number, spread

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
PAGE = FOLDER / "RESULTS.md"
MARKS = ("<!-- table of goals: written by python -m bench.all -->", "<!-- end of the table of goals -->")


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured last for one goal, or why nothing was."""

    key: str
    figure: Figure | None
    commit: str
    at: str
    command: str
    rounds: int
    load_average: float
    other_cores: float
    why_not: str = ""
    before: str = ""
    """The figure that this one replaced, and its commit."""


Rows = Mapping[str, Row]
"""By Goal.key."""


def rows_of(outcome: Outcome) -> list[Row]:
    """A row for each goal that a run measured, or left out."""
    noise, rounds = outcome.noise, max(map(len, outcome.measured.values()), default=0)
    about = (outcome.commit, outcome.at, outcome.command, rounds, noise.load_average, noise.other_cores)
    rows = []
    for goal in goals_of(outcome.bench):
        figure, why_not = goal.figure(outcome.measured), outcome.left_out.get(goal.against, "")
        if figure or why_not:
            rows.append(Row(goal.key, figure, *about, why_not=why_not))
    return rows


def read_rows() -> Rows:
    if not RESULTS.exists():
        return {}
    read = json.loads(RESULTS.read_text())
    return {one["key"]: Row(**{**one, "figure": Figure(**one["figure"]) if one["figure"] else None}) for one in read}


def write_rows(new: Iterable[Row], old: Rows) -> Rows:
    """Put the new rows in the place of the old ones, which they name as the earlier figure. Returns all."""
    merged = dict(old)
    for row in new:
        earlier = old.get(row.key)
        before = f"{number(earlier.figure.median)} ({earlier.commit})" if earlier and earlier.figure else ""
        merged[row.key] = Row(**{**{name: getattr(row, name) for name in Row.__slots__}, "before": before})
    known = [merged[goal.key] for goal in GOALS if goal.key in merged]
    RESULTS.write_text(json.dumps([asdict(row) for row in known], indent=1) + "\n")
    return merged


def table(rows: Rows) -> str:
    """One line a goal, in the order in which they are declared."""
    heads = (
        "goal",
        "bound",
        "last",
        "rounds from to",
        "reached",
        "earlier",
        "commit",
        "day",
        "load, others",
        "command",
    )
    lines = [_line(heads), "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(_line(_cells(goal, rows.get(goal.key))) for goal in GOALS)])


def _cells(goal: Goal, row: Row | None) -> Iterable[str]:
    if row is None:
        return (goal.what, goal.bound, "not measured yet", "", "", "", "", "", "", "")
    noise = f"{row.load_average:.1f}, {row.other_cores:.2f} cores"
    about = (row.before, row.commit, row.at[:10], noise, f"`{row.command}`")
    if row.figure is None:
        return (goal.what, goal.bound, f"left out: {row.why_not.splitlines()[0]}", "", "", *about)
    reached = "yes" if goal.is_reached(row.figure.median) else "**no**"
    return (goal.what, goal.bound, number(row.figure.median) + goal.unit, spread(row.figure), reached, *about)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def write_table(rows: Rows) -> None:
    begin, end = MARKS
    before, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text(f"{before}{begin}\n\n{table(rows)}\n\n{end}{rest.partition(end)[2]}")
