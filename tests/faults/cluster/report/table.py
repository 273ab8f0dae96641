"""The tables of docs/reliability.md: a run replaces the rows of the faults it saw. Pure, but for `write_row`."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.faults.cluster.report.figures import NEVER
from tests.faults.cluster.stage.logs import told
from tests.faults.cluster.stage.scene import Outcome

ROOT = Path(__file__).parent.parent.parent.parent.parent
PAGE = ROOT / "docs" / "reliability.md"

TABLE_VARIABLE = "RELIABILITY_TABLE"
"""Which table of the page a run writes to: `now`, or `before`. Unset: none."""

HEADER = (
    "| fault | acknowledged | lost | double | acks went on after | counts went on after | /livez | /readyz | status "
    "| lag | log | measured |"
)
RULE = "|---|---|---|---|---|---|---|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, keyed by the fault."""

    fault: str
    cells: tuple[str, ...]

    def text(self) -> str:
        return "| " + " | ".join([self.fault, *(cell.replace("|", "/") for cell in self.cells)]) + " |"


def row_of(fault: str, outcome: Outcome, found: list[str]) -> Row:
    """What was seen; `found` are the problems."""
    verdict, figures = outcome.verdict, outcome.figures
    acknowledged = f"{verdict.acknowledged}" + (f" ({verdict.open} never)" if verdict.open else "")
    lag = [f"0 claimed for {figures.untrue_lag:.0f} s, untrue"] if figures.untrue_lag else []
    lag += [f"not told for {figures.missing_lag:.0f} s"] if figures.missing_lag else []
    alive = _answers(figures.livez)
    if figures.untrue_livez:
        alive += f"; 200 with records waiting for over a minute: {figures.untrue_livez:.0f} s"
    cells = (
        acknowledged,
        str(len(verdict.lost)),
        str(len(verdict.double)),
        ", ".join(f"{api} {_seconds(seconds)}" for api, seconds in figures.acks.items()),
        "nothing to count" if figures.counts is None else _seconds(figures.counts),
        alive,
        _answers(figures.readyz),
        _statuses(outcome),
        "; ".join(lag) or "true",
        told(outcome.said.values()),
        f"{commit()}, load {outcome.load_average:.1f}" + (f", {len(found)} not as promised" if found else ""),
    )
    return Row(fault, cells)


def _seconds(seconds: float) -> str:
    return "never" if seconds == NEVER else f"{seconds:.1f} s"


def _answers(of: dict[str, dict[int, float]]) -> str:
    """By kind of process, what was answered other than 200, and the longest time of one process."""
    longest: dict[tuple[str, int], float] = {}
    for name, answers in of.items():
        for status, seconds in answers.items():
            key = name.partition("-")[0], status
            if status != 200 and seconds >= 1:
                longest[key] = max(longest.get(key, 0.0), seconds)
    words = {0: "no answer"}
    return ", ".join(f"{kind} {words.get(s, s)} for {t:.0f} s" for (kind, s), t in sorted(longest.items())) or "200"


def _statuses(outcome: Outcome) -> str:
    """Distinct first words and exit statuses, in the order they came."""
    seen: dict[str, None] = {}
    for _, ran in outcome.statuses:
        first = re.sub(r"\(supervisor \d+\)", "", ran.first_line).strip()[:60]
        seen[f"{first} ({ran.status})"] = None
    return "; ".join(list(seen)[:3])


def commit() -> str:
    """The commit that was measured; `+` where files differ from it."""
    words = ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, all servers and the load on them"


def with_row(page: str, table: str, row: Row, size: str) -> str:
    """The page with this row in this table: in its old place, or at the end."""
    begin, end = f"<!-- {table}: written by make faults -->", f"<!-- {table} ends -->"
    before, _, rest = page.partition(begin)
    old, _, after = rest.partition(end)
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in old.splitlines() if line.startswith("| ")}
    rows.pop("fault", None)
    rows[row.fault] = row.text()
    body = "\n".join([f"Machine: {size}.", "", HEADER, RULE, *rows.values()])
    return f"{before}{begin}\n{body}\n{end}{after}"


def write_row(row: Row) -> None:
    """Into the table that the environment names."""
    if table := os.environ.get(TABLE_VARIABLE):
        PAGE.write_text(with_row(PAGE.read_text(), table, row, machine()))
