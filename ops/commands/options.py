"""Options that several commands have, and how a command runs."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

DATA_FOLDER = Path(".tallymill")

Data = Annotated[
    Path, typer.Option("--data", envvar="TALLYMILL_DATA", file_okay=False, help="Data folder of the local system.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def run(name: str, work: Coroutine[Any, Any, int]) -> NoReturn:
    """Run the work of a command, print its errors, and exit with its status. `name`: what the user typed."""
    try:
        from ops.guard import guarded
        from serving.kafka.rights import DENIALS

        DENIALS.process = name
        raise typer.Exit(guarded(work))
    finally:
        work.close()  # if Ctrl-C came before it ran
