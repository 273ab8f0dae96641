"""One line of a log as an entry: tallymill's own JSON, mongod's JSON, Kafka's text. Pure.

A line without a time of its own, such as one of a Java stack trace, has the time and the level of the line before it.
If no line has a time, it is the time at which the file was written.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from schemas.documents import millis_of

Level = Literal["debug", "info", "warning", "error", "critical"]
LEVELS: tuple[Level, ...] = get_args(Level)

# What other programs call their levels. mongod numbers those of debugging: D1 to D5.
_LEVEL_NAMES: Mapping[str, Level] = {
    **{level: level for level in LEVELS},
    "trace": "debug",
    "warn": "warning",
    "exception": "error",
    "fatal": "critical",
    "d": "debug",
    "i": "info",
    "w": "warning",
    "e": "error",
    "f": "critical",
}

# Kafka: `2026-11-28T12:00:00.123Z WARN  Name: text`. In Docker: `[2026-11-28 12:00:00,123] WARN text`.
# Its logger itself: `2026-11-28T12:00:00.123456789Z thread WARN text`.
_TEXT_LINE = re.compile(
    r"\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)[.,](\d{3})\d*Z?\]? +(?:\S+ +)?(TRACE|DEBUG|INFO|WARN|ERROR|FATAL) +(.*)"
)

RESERVED = ("time", "level", "process", "event")


@dataclass(frozen=True, slots=True)
class Entry:
    """`at_millis`: None for lines before the first that has a time."""

    at_millis: int | None
    level: Level
    process: str
    event: str
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def time(self) -> str:
        """RFC 3339 in UTC, with milliseconds. Empty if unknown."""
        if self.at_millis is None:
            return ""
        at = datetime.fromtimestamp(self.at_millis // 1000, UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{self.at_millis % 1000:03}Z"

    def as_json(self) -> dict[str, Any]:
        """A key of the line that is named like one of ours gets a `_`."""
        ours = {"time": self.time or None, "level": self.level, "process": self.process, "event": self.event}
        return {**ours, **{f"{name}_" if name in RESERVED else name: value for name, value in self.keys.items()}}


def entries(process: str, lines: Iterable[str], before: Entry | None = None) -> Iterator[Entry]:
    """An entry for each line that is not empty. `before`: the entry of the line before the first."""
    for line in lines:
        if line.strip():
            before = entry_of(process, line.rstrip("\r\n"), before)
            yield before


def entry_of(process: str, line: str, before: Entry | None = None) -> Entry:
    if line.startswith("{"):
        try:
            found: Any = json.loads(line)
        except ValueError:
            found = None
        if isinstance(found, dict) and (entry := _ours(process, found) or _mongods(process, found)):
            return entry
    if parts := _TEXT_LINE.fullmatch(line):
        day, clock, millis, level, text = parts.groups()
        at = _millis(f"{day}T{clock}.{millis}Z")
        if at is not None:
            return Entry(at, _level(level), process, text)
    return Entry(before.at_millis if before else None, before.level if before else "info", process, line)


def _ours(process: str, found: dict[str, Any]) -> Entry | None:
    """A line of ops/logs.py."""
    at, event = _millis(found.get("timestamp")), found.get("event")
    if at is None or not isinstance(event, str):
        return None
    keys = {name: value for name, value in found.items() if name not in ("timestamp", "event", "level")}
    return Entry(at, _level(found.get("level")), process, event, keys)


def _mongods(process: str, found: dict[str, Any]) -> Entry | None:
    """A line of mongod's structured log."""
    stamp, event = found.get("t"), found.get("msg")
    at = _millis(stamp.get("$date")) if isinstance(stamp, dict) else None
    if at is None or not isinstance(event, str):
        return None
    attributes = found.get("attr")
    keys = {"component": found.get("c"), **(attributes if isinstance(attributes, dict) else {})}
    return Entry(at, _level(str(found.get("s", ""))[:1]), process, event, keys)


def _level(name: object) -> Level:
    return _LEVEL_NAMES.get(str(name).lower(), "info")


def _millis(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
        return millis_of((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC))
    except (ValueError, OverflowError):
        return None
