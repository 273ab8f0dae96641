"""`tallymill logs`: prints the logs of the local system's processes as one, by time."""

import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ops.errors import BadInput
from ops.local.logs.entry import LEVELS, Entry, Level
from ops.local.logs.files import Follower, Wanted, by_time, last_entries, log_files
from ops.local.logs.since import since_millis
from ops.output import (
    EXIT_BAD_INPUT,
    EXIT_OK,
    EXIT_WRONG,
    complain,
    did_you_mean,
    is_piped,
    printable,
    say,
    say_styled,
)

FOLLOW_SECONDS = 0.3

# Lines of each log, if neither a number nor a time is asked for.
USUAL_LINES = 20

_STYLES = {"debug": "dim", "info": "", "warning": "yellow", "error": "red", "critical": "bold red"}


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What the user asked for. `processes`: none for all. `worker` stands for worker-1, worker-2 and so on."""

    processes: Sequence[str] = ()
    lines: int | None = None
    since: str | None = None
    level: Level = "debug"
    follow: bool = False

    def has(self, process: str) -> bool:
        return not self.processes or process in self.processes or re.sub(r"-\d+$", "", process) in self.processes

    def keeps(self, entry: Entry) -> bool:
        return LEVELS.index(entry.level) >= LEVELS.index(self.level)


def logs(data: Path, options: LogOptions) -> int:
    """Exit status 1: there is no such log. 2: `--since` is not a time."""
    try:
        since = since_millis(options.since, datetime.now(UTC)) if options.since else None
    except BadInput as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    known = [log.stem for log in log_files(data)]
    if problem := _unknown(data, known, options):
        complain(problem)
        return EXIT_WRONG
    wanted = Wanted(options.keeps, USUAL_LINES if options.lines is None and since is None else options.lines, since)
    follower = Follower(data, options.has)
    try:
        ends = follower.start()
        show(by_time([one for log, end in ends.items() for one in last_entries(log, wanted, end)]))
        while options.follow:
            time.sleep(FOLLOW_SECONDS)
            show(filter(options.keeps, follower.added()))
    except KeyboardInterrupt:
        pass
    finally:
        follower.close()
    return EXIT_OK


def _unknown(data: Path, known: Sequence[str], options: LogOptions) -> str:
    """What is wrong with the names. Empty: each of them has a log."""
    if not known:
        return f"There are no logs in {data}"
    unknown = [name for name in options.processes if not any(LogOptions([name]).has(one) for one in known)]
    return "\n".join(
        f"There is no log of {name} in {data}. Known logs: {', '.join(known)}{did_you_mean(name, known)}"
        for name in unknown
    )


def show(found: Iterable[Entry]) -> None:
    """A line an entry: JSON where it is piped."""
    for one in found:
        if is_piped():
            say(json.dumps(one.as_json(), ensure_ascii=False))
        else:
            say_styled(styled(one))


def styled(entry: Entry) -> list[tuple[str, str]]:
    """Time, level, process, event and keys: each text with its style."""
    style = _STYLES[entry.level]
    keys = "".join(f" {printable(name)}={_value(value)}" for name, value in entry.keys.items())
    return [
        (f"{entry.time:<24}  ", "dim"),
        (f"{entry.level:<8}  ", style),
        (f"{entry.process:<10}  ", "bold"),
        (printable(entry.event), style),
        (keys, ""),
    ]


def _value(value: object) -> str:
    """A word as it is, anything else as JSON."""
    is_word = isinstance(value, str) and re.fullmatch(r"[\w.:/@+-]+", value)
    return printable(str(value) if is_word else json.dumps(value, ensure_ascii=False))
