"""The `tallymill` command. A new command is a module of ops/commands/ and a line of COMMANDS.

The modules declare options and import the work when it runs, so that `--help` is fast.
"""

import logging
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ops.errors import BadInput

# In the order of `tallymill --help`.
COMMANDS = (
    "local_system",
    "processes",
    "canary",
    "init",
    "doctor",
    "config",
    "token",
    "link",
    "load",
    "verify",
    "definitions",
    "lineage",
    "dead_letters",
    "titles",
)


class PlainGroup(TyperGroup):
    """Says in our words what is wrong with an option: typer quotes the library that checks the values."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 typer's own copy of click has no public types
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = plain(error.message)
            raise


def plain(message: str) -> str:
    """The message without the library's words."""
    message = message.removeprefix("Value error, ").partition(", unable to parse")[0]
    for theirs, ours in (("Input should be", "must be"), ("valid integer", "whole number"), ("valid number", "number")):
        message = message.replace(theirs, ours)
    return message


app = typer.Typer(
    name="tallymill",
    cls=PlainGroup,
    help="Counts events exactly once: HTTP -> Kafka -> workers -> MongoDB.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # folds paragraphs at the terminal's edge, and keeps text in brackets
)
for command in COMMANDS:
    app.add_typer(import_module(f"ops.commands.{command}").app)


def print_version(is_asked: bool) -> None:  # noqa: FBT001 typer hands the option on so
    if is_asked:
        from importlib.metadata import version  # noqa: PLC0415 it takes longer than most commands' options

        from ops.output import say  # noqa: PLC0415 as in the commands

        say(f"tallymill {version('tallymill')}")
        raise typer.Exit


@app.callback()
def tallymill(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    """Counts events exactly once: HTTP -> Kafka -> workers -> MongoDB."""


def main() -> None:
    """Run the command. A command prints the outcome itself, so the client libraries' logs of each try are dropped."""
    for library in ("aiokafka", "kafka", "pymongo", "asyncio"):
        logging.getLogger(library).addHandler(logging.NullHandler())  # without a handler Python prints warnings
    try:
        app()
    except BadInput as error:
        from ops.output import EXIT_BAD_INPUT, complain  # noqa: PLC0415 as in the commands

        complain("\n".join(error.problems))
        sys.exit(EXIT_BAD_INPUT)
