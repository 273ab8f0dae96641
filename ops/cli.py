"""The `tallymill` command. A new command is a module of ops/commands/ and a line of COMMANDS.

The modules declare options and import the work when it runs, so that `--help` is fast.
"""

import logging
from importlib import import_module

import typer

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

app = typer.Typer(
    name="tallymill",
    help="Counts events exactly once: HTTP -> Kafka -> workers -> MongoDB.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in COMMANDS:
    app.add_typer(import_module(f"ops.commands.{command}").app)


def main() -> None:
    """Run the command. A command prints the outcome itself, so the client libraries' logs of each try are dropped."""
    for library in ("aiokafka", "kafka", "pymongo", "asyncio"):
        logging.getLogger(library).addHandler(logging.NullHandler())  # without a handler Python prints warnings
    app()
