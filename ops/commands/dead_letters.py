"""`tallymill dead-letters`."""

from typing import Annotated

import typer

from ops.commands.options import Json, run

app = typer.Typer(
    name="dead-letters",
    help="Records that could not be read or stored: list, show or redrive them.",
    no_args_is_help=True,
)

Reason = Annotated[
    str | None,
    typer.Option("--reason", help="Only dead letters whose reason contains this text, in upper or lower case."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="Maximum number, oldest first.")]


@app.command("list")
def show_list(reason: Reason = None, limit: Limit = 100, *, as_json: Json = False) -> None:
    """List dead letters, oldest first."""
    from ops.dead_letters import command
    from serving.dead_letters import store

    run("dead-letters", command.show_list(store.Chosen(reason, limit=limit), as_json=as_json))


@app.command("show")
def show(
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="The id as `dead-letters list` prints it: lineage/partition/offset.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Print one dead letter with its headers and value.

    Exit status 2: there is no dead letter with this id.
    """
    from ops.dead_letters import command

    run("dead-letters", command.show_one(identity, as_json=as_json))


@app.command("redrive")
def redrive(
    reason: Reason = None,
    identity: Annotated[str | None, typer.Option("--id", help="Only the dead letter with this id.")] = None,
    limit: Limit = 1_000,
    rate: Annotated[float | None, typer.Option("--rate", min=0.01, help="Maximum number a second.")] = None,
    *,
    again: Annotated[bool, typer.Option("--again", help="Include dead letters that were redriven before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the ids, and produce nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Produce dead letters again, unchanged, to the topic they came from.

    Within the dedupe window none of them can count twice.
    """
    from ops.dead_letters import command
    from serving.dead_letters import store

    chosen = store.Chosen(reason, None if identity is None else (identity,), limit, again=again)
    options = command.RedriveOptions(chosen, dry_run=dry_run, rate=rate)
    run("dead-letters", command.redrive_some(options, as_json=as_json))
