"""`tallymill init`."""

from typing import Annotated

import typer

from ops.commands.options import Json, run

app = typer.Typer()


@app.command()
def init(
    *,
    add_partitions: Annotated[
        bool,
        typer.Option(
            "--add-partitions", help="Add missing partitions, up to kafka.partitions, also if a topic holds records."
        ),
    ] = False,
    partitions: Annotated[
        int | None,
        typer.Option(
            "--partitions",
            min=1,
            max=10_000,
            metavar="N",
            help="Add partitions until both topics have N, also if they hold records, and while the system runs.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create missing topics, collections and indexes, and check the existing ones. Safe to repeat.

    Exit status 1: something is wrong and must be changed by hand.
    """
    from ops.init.command import init as work

    run("init", work(as_json=as_json, add_partitions=add_partitions, partitions=partitions))
