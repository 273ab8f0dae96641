"""What `tallymill definitions apply` asks before it retires events. The writes are tested on real MongoDB."""

import io
import sys
from datetime import timedelta
from itertools import product
from typing import Final

import pytest

from ops.definitions import command
from ops.definitions.changes import Change, changes
from ops.definitions.command import MOST_NAMED, ApplyOptions
from schemas.documents import utc
from tests.ops.definitions.test_command import file_of, stand
from tests.samples import NOW

LATER: Final = utc(NOW) + timedelta(hours=1)
RETIRED: Final = "Retired are 2 of 3 active events of app demo: A, C"
NOTHING: Final = "Nothing was written"

Output = pytest.CaptureFixture[str]


def retiring(before: tuple[str, ...], after: tuple[str, ...]) -> list[Change]:
    """The changes from one file to another. A kept event changes too: it is active all the same."""
    return changes(file_of(*after, name="y"), stand(changes(file_of(*before), {}, utc(NOW))), LATER)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal, once something is written to it: what a person answers."""
    terminal = io.StringIO()
    terminal.isatty = lambda: bool(terminal.getvalue())  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    return terminal


def type_in(terminal: io.StringIO, answer: str) -> None:
    terminal.write(answer)
    terminal.seek(0)


@pytest.mark.parametrize(
    ("answer", "status"),
    {"y\n": 0, "yes\n": 0, " Y \n": 0, "n\n": 1, "\n": 1, "no, y\n": 1, "yess\n": 1}.items(),
)
def test_a_person_answers_for_some_events(answering: io.StringIO, capsys: Output, answer: str, status: int) -> None:
    """Only a yes is one."""
    type_in(answering, answer)
    assert status == command._confirm_retired("demo", retiring(("A", "B", "C"), ("B",)), ApplyOptions())
    said = capsys.readouterr().err.splitlines()
    assert [RETIRED, "Retire these 2 events of app demo? [y/N]"] == said[:2]
    assert (status == 0) == (len(said) == 2), "where nothing is written, that is said"


@pytest.mark.usefixtures("answering")
def test_without_a_terminal_nobody_has_confirmed_it(capsys: Output) -> None:
    assert 2 == command._confirm_retired("demo", retiring(("A", "B", "C"), ("B",)), ApplyOptions())
    assert "not a terminal" in capsys.readouterr().err.splitlines()[-1]


def test_one_event_is_asked_for_as_one(answering: io.StringIO, capsys: Output) -> None:
    type_in(answering, "y\n")
    assert 0 == command._confirm_retired("demo", retiring(("A", "B"), ("B",)), ApplyOptions())
    assert "Retire this event of app demo? [y/N]" in capsys.readouterr().err


@pytest.mark.parametrize(("dry_run", "yes", "retire_all", "every"), list(product((False, True), repeat=4)))
def test_options_confirm_without_a_question(
    answering: io.StringIO, capsys: Output, *, dry_run: bool, yes: bool, retire_all: bool, every: bool
) -> None:
    """--yes is enough for some events, and only --retire-all for all of them. A dry run says which one is needed."""
    type_in(answering, "n\n")
    found = retiring(("A", "B", "C"), ("X",) if every else ("B",))
    options = ApplyOptions(dry_run=dry_run, yes=yes, retire_all=retire_all)
    status = command._confirm_retired("demo", found, options)
    said = capsys.readouterr().err
    is_confirmed = retire_all or (yes and not every)
    assert (0 if dry_run or is_confirmed else 2 if every else 1) == status
    assert ("[y/N]" in said) == (status == 1), "with all events there is no question"
    assert (NOTHING in said) == (status != 0)
    assert (f"add {'--retire-all' if every else '--yes'}." in said) == (dry_run or status == 2)
    assert f"{3 if every else 2} of 3 active events" in said


@pytest.mark.usefixtures("answering")
def test_where_none_is_retired_nothing_is_asked(capsys: Output) -> None:
    assert 0 == command._confirm_retired("demo", retiring(("A",), ("A", "B")), ApplyOptions())
    assert not capsys.readouterr().err


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize("more", [0, 1])
def test_a_message_names_so_many_events(capsys: Output, more: int) -> None:
    """And says that there are others."""
    names = tuple(f"E{number}" for number in range(MOST_NAMED + more))
    command._confirm_retired("demo", retiring((*names, "KEPT"), ("KEPT",)), ApplyOptions(yes=True))
    said = capsys.readouterr().err.splitlines()[0]
    assert MOST_NAMED - 1 == said.count(", E")
    assert said.endswith(", ...") == bool(more)
