"""What a benchmark prints, and what it leaves for the table of bench/RESULTS.md (bench/all.py): one shape for all."""

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import ROUNDS, Figure, Measured, figure
from bench.goals import goals_of

ROOT = Path(__file__).parent.parent
# What a run itself writes is no change of the code.
WRITTEN = (":!bench/RESULTS.md", ":!bench/results.json")

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Noise:
    """What else the machine did: its load average before the run, and the cores that other processes used in it."""

    load_average: float
    other_cores: float


class NoiseMeter:
    """Measures the noise from now on. The processes of the run must have ended when it is read."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._since, self._busy, self._own = time.perf_counter(), _busy_seconds(), _own_seconds()

    def read(self) -> Noise:
        seconds = time.perf_counter() - self._since
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return Noise(self._load, max(0.0, others) / seconds)


def _busy_seconds() -> float:
    """CPU time of the whole machine so far, with what a hypervisor took from it."""
    user, nice, system, _idle, _waiting, *interrupts = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + sum(interrupts[:3])) / _TICKS


def _own_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of one benchmark."""

    bench: str
    measured: Measured
    noise: Noise
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why a subject was not measured, by its name."""
    command: str = ""
    commit: str = ""
    at: str = ""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


def outcome_of(read: Mapping[str, Any]) -> Outcome:
    """The inverse of asdict()."""
    return Outcome(**{**read, "noise": Noise(**read["noise"])})


def read_outcome(path: Path) -> Outcome:
    return outcome_of(json.loads(path.read_text()))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of all benchmarks."""
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="where to write what was measured (for bench.all)")


def some_of(names: Sequence[str]) -> Callable[[str], Sequence[str]]:
    """Reads an option that names some of these."""

    def named_in(text: str) -> Sequence[str]:
        named = [name for name in text.split(",") if name]
        if unknown := set(named) - set(names):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(names)}")
        return named

    return named_in


def finish(
    bench: str, options: argparse.Namespace, meter: NoiseMeter, measured: Measured, left_out: Mapping[str, str]
) -> None:
    """Print the figures and the goals, and write them down if asked to."""
    noise = meter.read()
    print("\n".join([*table(measured), "", *goal_lines(bench, measured)]))
    for subject, why in left_out.items():
        print(f"LEFT OUT  {subject}: {why}")
    print(f"noise     load average {noise.load_average:.1f} before; other processes used {noise.other_cores:.2f} cores")
    if options.json:
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        Outcome(bench, measured, noise, left_out, _command(), commit_now(), stamp).write(options.json)


def table(measured: Measured) -> list[str]:
    """Two lines a subject: the median of each field, and below it the spread."""
    fields = list(dict.fromkeys(name for rounds in measured.values() for one in rounds for name in one))
    width = max(map(len, measured))
    lines = [" " * width + "".join(f"{name:>20}" for name in fields)]
    for subject in measured:
        found = [figure(measured, field, subject) for field in fields]
        lines.append(f"{subject:<{width}}" + "".join(f"{number(one.median) if one else '':>20}" for one in found))
        lines.append(" " * width + "".join(f"{spread(one) if one else '':>20}" for one in found))
    return lines


def goal_lines(bench: str, measured: Measured) -> list[str]:
    """How the run compares with the goals."""
    lines = []
    for goal in goals_of(bench):
        if one := goal.figure(measured):
            reached = "reached" if goal.is_reached(one.median) else "missed"
            lines.append(f"{goal.what:<62} {number(one.median):>8}  ({spread(one)})  goal {goal.bound}: {reached}")
    return lines


def number(value: float) -> str:
    """With three digits that tell."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004 three digits


def spread(one: Figure) -> str:
    return f"{number(one.lowest)} to {number(one.highest)}"


def commit_now() -> str:
    """The commit that is measured; `+` if the tree has changes."""
    commit = _git("rev-parse", "--short", "HEAD")
    return f"{commit}+" if _git("status", "--porcelain", "--", ".", *WRITTEN) else commit


def _git(*words: str) -> str:
    ran = subprocess.run(  # noqa: S603 fixed words
        ["git", "-C", str(ROOT), *words],  # noqa: S607 the git of the machine
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout.strip()


def _command() -> str:
    """As a person would type it, without --json."""
    words = list(sys.argv[1:])
    if "--json" in words:
        place = words.index("--json")
        del words[place : place + 2]
    module = Path(sys.argv[0]).stem
    return shlex.join(["python", "-m", f"bench.{module}", *words])
