"""docs/log-events.md, from the code's calls and the meanings."""

from collections.abc import Iterator
from functools import cache
from typing import Final

from ops.file_map import PACKAGES, ROOT
from ops.log_events.calls import PROCESSES, Call, Event, Module, calls_of, events_of, modules_of
from ops.log_events.meanings import EVENTS, KEYS, Meaning

PAGE: Final = ROOT / "docs" / "log-events.md"

INTRODUCTION: Final = """\
# Log events

Ingress, worker, console and canary write their log to standard error. Each line is a JSON object with `timestamp`
(UTC), `level`, `event`, and the keys of the event. A request or record that succeeds is not logged.

| level | meaning |
|---|---|
| `info` | A state has changed. Nothing to do. |
| `warning` | Something is wrong. The process retries, or continues without it. |
| `error` | An operator has to act: a partition or the process has stopped, or there is a bug. |

An outage is two lines in each process: a `warning` when it begins, an `info` when it is over.

An event has one level and one meaning in every process. An event that is limited to one line a minute has `repeated`:
how often it occurred since the last line.
"""


@cache
def _modules() -> tuple[Module, ...]:
    return tuple(modules_of(ROOT, PACKAGES))


@cache
def calls() -> tuple[Call, ...]:
    """All calls of the code that write events."""
    return tuple(calls_of(_modules()))


@cache
def events() -> tuple[Event, ...]:
    """All events of the code, by name."""
    return tuple(events_of(_modules(), calls()))


def log_events_page(generated: str) -> str:
    """Every event of the code, and every key."""
    return "\n".join([INTRODUCTION, generated, "", "## Events", "", *_events(), "", "## Keys", "", *_keys(), ""])


def _events() -> Iterator[str]:
    yield from ("| event | level | process | keys | meaning | what to do |", "|---|---|---|---|---|---|")
    for event in events():
        meaning, action = EVENTS.get(event.name, Meaning("(not explained)"))
        processes = "all" if len(event.processes) == len(PROCESSES) else ", ".join(event.processes)
        keys = ", ".join(f"`{key}`" for key in event.keys)
        yield f"| `{event.name}` | {', '.join(event.levels)} | {processes} | {keys} | {meaning} | {action} |"


def _keys() -> Iterator[str]:
    yield from ("| key | meaning |", "|---|---|")
    for key in sorted({key for event in events() for key in event.keys}):
        yield f"| `{key}` | {KEYS.get(key, '(not explained)')} |"
