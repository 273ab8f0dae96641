"""The log has one vocabulary, and docs/log-events.md explains it. `python -m ops.reference` writes the page.

A new event needs a row in ops/log_events/meanings.py.
"""

import re
from pathlib import Path

import pytest

from ops.file_map import ROOT
from ops.log_events.calls import PROCESSES, calls_of, events_of, modules_of
from ops.log_events.meanings import EVENTS, KEYS
from ops.log_events.page import PAGE, calls, events, log_events_page
from ops.reference import GENERATED

LEVELS = {"info", "warning", "error"}
SNAKE_CASE = re.compile(r"[a-z]+(_[a-z]+)*")


def test_the_page_has_every_event() -> None:
    """Each with its level, processes and keys, as the code has them."""
    assert log_events_page(GENERATED) == PAGE.read_text()


def test_every_event_and_key_is_explained_once() -> None:
    """No row is missing in ops/log_events/meanings.py, and none is left over."""
    found = events()
    assert len(found) > 50
    assert {event.name for event in found} == EVENTS.keys()
    assert {key for event in found for key in event.keys} == KEYS.keys()


def test_every_name_can_be_read_from_the_code_and_is_in_snake_case() -> None:
    """An operator searches the code for it, and would not find a composed name."""
    assert [] == [call.place for call in calls() if call.name is None or not SNAKE_CASE.fullmatch(call.name)]
    assert [] == [key for event in events() for key in event.keys if not SNAKE_CASE.fullmatch(key)]


def test_every_event_has_one_level_in_every_process() -> None:
    """Below info nothing is written (ops/logs.py)."""
    assert [] == [(event.name, event.levels) for event in events() if len(event.levels) > 1]
    assert LEVELS == {level for event in events() for level in event.levels}
    assert [] == [event.name for event in events() if not event.processes]


def test_an_outage_is_two_events() -> None:
    """A warning when it begins, an info when it is over."""
    levels = {event.name: event.levels for event in events()}
    lost = [name.removesuffix("_lost") for name in levels if name.endswith("_lost")]
    assert {"kafka", "mongodb", "introspection", "issuer"} == set(lost)
    assert [(("warning",), ("info",))] * 4 == [(levels[f"{one}_lost"], levels.get(f"{one}_back")) for one in lost]


def test_every_event_that_a_page_names_exists() -> None:
    """Pages write events in italics, as in *client_replaced*."""
    pages = sorted((ROOT / "docs").glob("*.md"))
    named = {name for page in pages for name in re.findall(r"\*([a-z]+(?:_[a-z]+)+)\*", page.read_text())}
    assert len(named) > 10
    assert set() == named - EVENTS.keys()


WRITING = """
import structlog

log = structlog.get_logger()


def not_checked(event: str, **subject: str) -> None:
    log.warning(event, **subject)


class Outage:
    def __init__(self, server: str) -> None:
        self.server = server

    def lost(self) -> None:
        log.warning(f"{self.server}_lost", seconds=1)


def write() -> None:
    log.info("ready", port=1)
    log.error("ready")
    log.error("failed", exc_info=True)
    not_checked("topic_not_checked", topic="t")
    Outage("kafka").lost()
"""

# Ways to write an event whose name is not in the code.
HIDDEN = (
    'log.info("a" + name)',
    'log.info(f"{name}")',
    "log.info(name)",
    'write = log.info if name else log.warning\nwrite("hidden")',
    'getattr(log, name)("hidden")',
    'log.bind(a=1).info("hidden")',
    'structlog.get_logger().info("hidden")',
    "not_checked(name)",
    "Outage(name)",
)


def test_events_are_read_from_the_code(tmp_path: Path) -> None:
    """Their levels, keys and processes; also of events that are written by helpers."""
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "server.py").write_text("from console import writing\n")
    (tmp_path / "console" / "writing.py").write_text(WRITING)
    modules = modules_of(tmp_path, ["console"])
    found = events_of(modules, calls_of(modules))
    assert [
        ("failed", ("error",), ("exception",)),
        ("kafka_lost", ("warning",), ("seconds",)),
        ("ready", ("error", "info"), ("port",)),
        ("topic_not_checked", ("warning",), ("topic",)),
    ] == [(event.name, event.levels, event.keys) for event in found]
    assert {("console",)} == {event.processes for event in found}
    assert "console" in PROCESSES


@pytest.mark.parametrize("hidden", HIDDEN)
def test_an_event_whose_name_is_not_in_the_code_is_noticed(hidden: str, tmp_path: Path) -> None:
    """By its place, so that it can be written out."""
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "writing.py").write_text(f"{WRITING}\n{hidden}\n")
    found = [call for call in calls_of(modules_of(tmp_path, ["console"])) if call.name is None]
    assert {"console/writing.py"} == {call.place.partition(":")[0] for call in found}
