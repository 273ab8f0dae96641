"""All that commands print: answers on standard output, messages and progress on standard error; and exit statuses.

Rich is imported when it is used, so that a process that prints a line or two starts fast.
"""

import errno
import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import NoReturn, TextIO

EXIT_OK = 0
EXIT_WRONG = 1
EXIT_BAD_INPUT = 2
EXIT_NOT_RUNNING = 3  # as the Linux Standard Base has it for a service's status
EXIT_KILLED = 130
EXIT_PIPE = 141  # as shells have it for SIGPIPE: the reader of standard output has ended

# Controls, formats (which may reverse the direction of text), surrogates, and separators of lines and paragraphs.
UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# Formats that scripts and emoji are written with.
JOINERS = "\u200c\u200d"


def say(text: str) -> None:
    """Print an answer. Ends the command if its reader has ended, such as `head`, or if its file can't be written."""
    try:
        print(text, flush=True)  # noqa: T201 the one place
    except BrokenPipeError:
        _silence(sys.stdout)
        raise SystemExit(EXIT_PIPE) from None
    except OSError as error:
        _silence(sys.stdout)
        complain(f"Standard output can't be written: {error.strerror}")
        raise SystemExit(EXIT_WRONG) from None


def leave(exit_status: int) -> NoReturn:
    """End the process at once. Python would first wait for threads, of which one may ask a silent server for ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_status)


def complain(text: str) -> None:
    """Print a message for a person: an error, a warning, a question, a step that takes time.

    The work goes on without it if the terminal is closed, or the disk of the log is full.
    """
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 the one place
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.EIO):
            _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    """Drop what is written from now on, also what Python writes at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)


def confirmed(question: str) -> bool | None:
    """The answer of the person at the terminal to a question; None if there is no terminal."""
    if not sys.stdin.isatty():
        return None
    complain(f"{question} [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def is_piped() -> bool:
    """Whether standard output goes to a program or a file, not to a terminal."""
    return not sys.stdout.isatty()


def say_styled(parts: Iterable[tuple[str, str]]) -> None:
    """Print one line on a terminal: texts with the names of their styles. A long line is not folded."""
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    Console(highlight=False).print(Text.assemble(*parts), soft_wrap=True)


@contextmanager
def redrawing(apart: str = "\n") -> Iterator[Callable[[str], None]]:
    """The function given prints a text over the one before it. When piped it prints all, with `apart` in between.

    On a terminal, lines that are indented are rows: they are cut at its edge, where others are folded.
    """
    if is_piped():
        between = ""

        def next_block(text: str) -> None:
            nonlocal between
            say(between + text)
            between = apart

        yield next_block
        return
    from rich.console import Console, Group  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with Live(console=Console(highlight=False), auto_refresh=False) as live:

        def redraw(text: str) -> None:
            rows = [Text(line, no_wrap=line.startswith(" "), overflow="ellipsis") for line in text.splitlines()]
            for row in rows:
                row.highlight_regex(r"^(!|LOST:|not ready).*$", "red")
                row.highlight_regex(r"^ready", "green")
            live.update(Group(*rows), refresh=True)

        yield redraw


def remark(text: str) -> None:
    """Print a sentence beside a table: on standard error if standard output is piped, so that it has records only."""
    (complain if is_piped() else say)(text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal. When piped: a line of names, then one line a record, with tabs between the cells."""
    shown = [[printable(cell) for cell in row] for row in rows]
    if is_piped():
        say("\n".join("\t".join(cells) for cells in (columns, *shown)))
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in shown:
        # As Text: markup in a name that a client has chosen must stay text.
        table.add_row(*map(Text, row))
    Console().print(table)


def printable(text: str) -> str:
    """One line that can't control a terminal, because a client may have chosen a name. Line ends become backslash n."""
    return "".join(
        _escaped(one) if unicodedata.category(one) in UNPRINTABLE and one not in JOINERS else one for one in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def did_you_mean(name: str, names: Iterable[str], prefix: str = "") -> str:
    """A sentence to append to a message about an unknown name; empty if no known name is similar.

    `prefix`: what all names begin with. It is not compared, or it would make any two names similar.
    """
    found = get_close_matches(name.removeprefix(prefix), [one.removeprefix(prefix) for one in names], 1)
    return f". Did you mean {prefix}{found[0]}?" if found else ""


@contextmanager
def phase(what: str) -> Iterator[None]:
    """Print a spinner on a terminal while a phase lasts, then a line with the seconds it took."""
    from rich.console import Console  # noqa: PLC0415

    started = time.monotonic()
    with Console(stderr=True, highlight=False).status(what):
        yield
    complain(f"  {what}: {time.monotonic() - started:.1f} s")


@contextmanager
def progress_bar(what: str, total: int, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, elsewhere none. The function given takes the number of further steps that are done."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
