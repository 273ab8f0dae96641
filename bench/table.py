"""What bench/RESULTS.md says of the last runs: each goal with its figure, and each benchmark's figures.

bench/results.json has the last run of each benchmark. The page is made from it, between two marks, and keeps the rest
of its text.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.goals import GOALS, Goal, goals_of
from bench.outcome import Outcome, number, outcome_of, spread, table

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
PAGE = FOLDER / "RESULTS.md"
MARKS = ("<!-- the last runs: written by python -m bench.all -->", "<!-- end of the last runs -->")

HEADS = ("goal", "bound", "last", "rounds from to", "reached", "earlier", "commit", "day", "load, others")


@dataclass(frozen=True, slots=True)
class Results:
    """The last run of each benchmark, and of each goal the figure that its last run replaced."""

    runs: Mapping[str, Outcome] = field(default_factory=dict)
    earlier: Mapping[str, str] = field(default_factory=dict)
    """By Goal.key: the figure and its commit."""

    def with_run(self, outcome: Outcome) -> "Results":
        """A run takes the place of the one before."""
        earlier = dict(self.earlier)
        for goal in goals_of(outcome.bench):
            old = self.runs.get(outcome.bench)
            if old and (figure := goal.figure(old.measured)):
                earlier[goal.key] = f"{number(figure.median)} ({old.commit})"
        return Results({**self.runs, outcome.bench: outcome}, earlier)


def read_results() -> Results:
    if not RESULTS.exists():
        return Results()
    read = json.loads(RESULTS.read_text())
    return Results({bench: outcome_of(run) for bench, run in read["runs"].items()}, read["earlier"])


def write_results(results: Results) -> None:
    """Write the file and the page."""
    RESULTS.write_text(json.dumps(asdict(results), indent=1) + "\n")
    begin, end = MARKS
    before, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text("\n".join([f"{before}{begin}", *page(results), f"{end}{rest.partition(end)[2]}"]))


def page(results: Results) -> Iterator[str]:
    """The lines between the marks."""
    yield from ("", _line(HEADS), "|---" * len(HEADS) + "|")
    for goal in GOALS:
        yield _line(_cells(goal, results))
    for bench, run in results.runs.items():
        yield from ("", f"### bench.{bench.replace(':', ', ')}, the last run", "")
        yield from (f"At {run.commit}, `{run.command}`:", "", "```", *table(run.measured), "```")
    yield ""


def _cells(goal: Goal, results: Results) -> Iterable[str]:
    run = results.runs.get(goal.bench)
    if run is None:
        return (goal.what, goal.bound, "not measured yet", *[""] * 6)
    noise = f"{run.noise.load_average:.1f}, {run.noise.other_cores:.2f} cores"
    about = (results.earlier.get(goal.key, ""), run.commit, run.at[:10], noise)
    figure = goal.figure(run.measured)
    if figure is None:
        why = run.left_out.get(goal.against, "not measured")
        return (goal.what, goal.bound, f"left out: {why.splitlines()[0]}", "", "", *about)
    reached = "yes" if goal.is_reached(figure.median) else "**no**"
    return (goal.what, goal.bound, number(figure.median) + goal.unit, spread(figure), reached, *about)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
