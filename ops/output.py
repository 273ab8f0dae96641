"""What the commands print with, and the exit statuses that they share."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

EXIT_OK = 0
EXIT_WRONG = 1
EXIT_BAD_INPUT = 2


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # As Text: what clients named is no markup.
        table.add_row(*map(Text, row))
    Console().print(table)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 standard output is the answer


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 standard error is for people
