"""`tallymill lineage`."""

from typing import Annotated

import typer

from ops.commands.options import Json, run

app = typer.Typer(name="lineage")

Reason = Annotated[str, typer.Option("--reason", help="Why you do this. The reason is stored and shown later.")]


@app.callback(invoke_without_command=True)
def show(context: typer.Context, *, as_json: Json = False) -> None:
    """List the lineages of each topic: the position in each partition, and lost records.

    A lineage stands for one topic of one Kafka cluster, counted from one start. A topic that was deleted and created
    again needs a new lineage.

    Exit status 1: records are lost, or a partition is stopped.
    """
    from ops.lineage.command import show as work

    if context.invoked_subcommand is None:
        run("lineage", work(as_json=as_json))


@app.command("start")
def start(
    offsets: Annotated[
        str,
        typer.Option(
            "--from",
            help='Where counting starts: beginning, end, one offset for all partitions, or JSON such as {"0": 17}.',
        ),
    ],
    reason: Reason,
    topic: Annotated[
        str | None, typer.Option("--topic", help="The topic. Default: kafka.records_topic of the settings.")
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Start without asking for confirmation.")] = False,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss", help="Accept the records that are left out: `verify` names them and exits with 0."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Start a new lineage: the topic is counted from the given offsets on.

    Refused if records could be counted twice.
    """
    from ops.lineage.command import StartOptions
    from ops.lineage.command import start as work

    run("lineage", work(StartOptions(topic, offsets, reason, yes=yes, accept_loss=accept_loss), as_json=as_json))


@app.command("accept-loss")
def accept_loss(
    identity: Annotated[str, typer.Argument(metavar="LINEAGE", help="The lineage that names the loss, such as r3.")],
    reason: Reason,
    *,
    as_json: Json = False,
) -> None:
    """Accept the losses of a lineage: `verify` still names them, but exits with 0.

    A loss that is found later is not accepted.
    """
    from ops.lineage.command import accept_loss as work

    run("lineage", work(identity, reason, as_json=as_json))
