"""Runs every benchmark and writes the table at the top of bench/RESULTS.md: `make bench`.

    python -m bench.all
    python -m bench.all drain visible
    python -m bench.all --rounds 1 --quick
    python -m bench.known --ids 50000000 --players 10000000 --json known.json; python -m bench.all --take known.json

The benchmarks run one after the other, each as a program, with few enough records that all take less than twenty
minutes. What one measured is compared with the goals (bench/goals.py) and kept in bench/results.json, a row a goal;
what was there before stays as the earlier figure. A goal whose benchmark did not run, or failed, keeps its row.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import ROUNDS
from bench.outcome import Outcome, read_outcome
from bench.table import read_results, write_results

# Enough for a figure on two cores, in under twenty minutes for all. By default a program takes longer.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "drain": ("--records", "80000", "--against", "batched,quix,connector,replay"),
    "ingress": ("--seconds", "4", "--warm-seconds", "2", "--subjects", "acked,counted,floor,fastapi"),
    "visible": ("--seconds", "8"),
    "analytics-20": ("--pool", "20", "--items", "200000", "--against", "replay"),
    "analytics-1": ("--pool", "1", "--items", "40000", "--against", "replay"),
    "steady": ("--ids", "1000000", "--seconds", "4"),
    "scale": ("--records", "30000"),
    "known": ("--records", "40000", "--ids", "1000000", "--players", "300000"),
    "rebalance": ("--seconds", "8", "--kills", "1"),
}
# To see that all programs work: the figures mean nothing.
QUICK: dict[str, tuple[str, ...]] = {
    "drain": ("--records", "12000", "--against", "batched,quix,connector,replay"),
    "ingress": ("--seconds", "1", "--warm-seconds", "1"),
    "visible": ("--seconds", "2"),
    "analytics-20": ("--pool", "20", "--items", "60000", "--against", "replay"),
    "analytics-1": ("--pool", "1", "--items", "20000", "--against", "replay"),
    "steady": ("--ids", "200000", "--seconds", "1"),
    "scale": ("--records", "10000", "--workers", "1,2"),
    "known": ("--records", "10000", "--ids", "50000", "--players", "20000"),
    "rebalance": ("--seconds", "6", "--kills", "1"),
}


def run(name: str, arguments: Sequence[str], rounds: int) -> Outcome | None:
    """Run one benchmark and return what it measured. None if it failed; its output says why."""
    module = name.partition("-")[0]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outcome.json"
        command = [sys.executable, "-m", f"bench.{module}", *arguments, "--rounds", str(rounds), "--json", str(file)]
        print(f"\n=== bench.{module} {' '.join(arguments)}", flush=True)
        began = time.monotonic()
        ran = subprocess.run(command, check=False)  # noqa: S603 our own programs
        print(f"=== {time.monotonic() - began:.0f} s", flush=True)
        return read_outcome(file) if ran.returncode == 0 else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or some of {', '.join(PROGRAMS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="few records, and nothing is written down")
    parser.add_argument("--take", nargs="+", type=Path, default=[], metavar="FILE", help="enter runs of programs")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PROGRAMS):
        parser.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(PROGRAMS)}")
    for file in options.take:
        write_results(read_results().with_run(read_outcome(file)))
    if options.take:
        return 0
    programs = QUICK if options.quick else PROGRAMS
    began, failed = time.monotonic(), list[str]()
    for name in options.names or programs:
        outcome = run(name, programs[name], options.rounds)
        if outcome is None:
            failed.append(name)
        elif not options.quick:  # after each, so that an interruption loses one
            write_results(read_results().with_run(outcome))
    print(f"\nall took {(time.monotonic() - began) / 60:.1f} minutes" + (f"; FAILED: {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
