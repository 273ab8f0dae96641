"""What the processes logged of a fault: outages (lost, back), and lines that no log may have. Pure."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

# A trace, a library's class or a repr. A log has plain words instead.
_PRIVATE = re.compile(
    r"Traceback \(most recent call last\)|\b[A-Z][A-Za-z]+(?:Error|Exception|Reconnect|Timeout)\b|<class '|object at 0x"
)

_LEVELS = ("warning", "error", "critical")


@dataclass(slots=True)
class Said:
    """Of one process: its lines from WARNING up and those that end an outage, and lines with private words."""

    lines: Counter[str] = field(default_factory=Counter)
    private: list[str] = field(default_factory=list)


def said_of(text: str) -> Said:
    """Read the part of a log that was written since the fault."""
    said = Said()
    for line in text.splitlines():
        if _PRIVATE.search(line):
            said.private.append(line[:300])
        entry = _entry(line)
        if entry and (entry.get("level") in _LEVELS or "outage_seconds" in entry or "seconds" in entry):
            said.lines[str(entry.get("event"))] += 1
    return said


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def told(logs: Iterable[Said], most: int = 6) -> str:
    """The events of all logs with their numbers, the most frequent first."""
    lines: Counter[str] = Counter()
    for said in logs:
        lines.update(said.lines)
    shown = [f"{line} x{count}" for line, count in lines.most_common(most)]
    left = len(lines) - most
    return "; ".join([*shown, f"{left} others"] if left > 0 else shown) or "nothing"


def unpaired(said: Said) -> list[str]:
    """Outages of which a process logged the end and not the beginning.

    The beginning may be logged again after a minute, with another cause. The end may be still to come.
    """
    return [
        f"{event} x{count}, but {begin} x{said.lines[begin]}"
        for event, count in said.lines.items()
        if event.endswith("_back") and count > said.lines[begin := event.removesuffix("_back") + "_lost"]
    ]


def private_lines(logs: Sequence[Said]) -> list[str]:
    return [line for said in logs for line in said.private]
