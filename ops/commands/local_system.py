"""`tallymill up`, `down`, `status`, `logs`: the local system. `prepare` is a part of `up`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.commands.options import DATA_FOLDER, Data, Json, run

app = typer.Typer()


@app.command()
def up(
    workers: Annotated[int | None, typer.Option(min=0, max=64, help="Number of worker processes. [default: 2]")] = None,
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background; return when it is ready.")] = False,
    observe: Annotated[
        bool, typer.Option("--observe", help="Also start a canary, and Prometheus, which must be installed.")
    ] = False,
    data: Data = DATA_FOLDER,
    as_json: Json = False,
) -> None:
    """Start the local system: Kafka, MongoDB, ingress, workers and console.

    Ctrl-C stops it. If it already runs, its addresses are printed, and the exit status is 0, or 1 if it runs with
    other options than those that are given. A port that is set and taken is an error.
    """
    from ops.local import commands

    raise typer.Exit(commands.up(commands.UpOptions(data, workers, detach, as_json, observe)))


@app.command()
def down(*, data: Data = DATA_FOLDER, as_json: Json = False) -> None:
    """Stop the local system: first ingress and console, then the workers, then Kafka and MongoDB."""
    from ops.local import commands

    raise typer.Exit(commands.down(data, as_json=as_json))


@app.command()
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Print it every 2 s until Ctrl-C.")] = False,
    data: Data = DATA_FOLDER,
    as_json: Json = False,
) -> None:
    """Ask each process of the local system whether it works, and measure rates, lag and balance of each topic.

    Exit status 0: all that is promised holds now. 1: a process is not ready, a partition is stopped or has no worker,
    records are lost, or the balance does not add up or is unknown. 3: the system is not running.
    """
    from ops.local import commands
    from ops.logs import drop_logs
    from ops.output import leave

    drop_logs()
    leave((commands.watch_status if watch else commands.status)(data, as_json=as_json))


@app.command()
def logs(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A process: kafka, mongodb, ingress, worker-1, ... Without it: all."),
    ] = None,
    *,
    process: Annotated[
        list[str] | None, typer.Option("--process", "-p", help="The same; may be repeated. `worker`: all workers.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines until Ctrl-C.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", help="30s, 10m, 2h or 1d ago, or a time: 2026-11-28T12:00 (UTC).")
    ] = None,
    level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        typer.Option("--level", help="Only lines of this level and above."),
    ] = "debug",
    lines: Annotated[
        int | None,
        typer.Option("--lines", "-n", min=0, help="Number of last lines of each log. [default: 20; with --since all]"),
    ] = None,
    data: Data = DATA_FOLDER,
) -> None:
    """Print the logs of the local system's processes as one, by time. When piped, each line is a JSON object."""
    from ops.local.logs.command import LogOptions
    from ops.local.logs.command import logs as work

    names = [*filter(None, [name]), *(process or ())]
    raise typer.Exit(work(data, LogOptions(names, lines, since, level, follow)))


@app.command(hidden=True)
def prepare(definitions_file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON.")]) -> None:
    """Run `init` and then `definitions apply FILE` in one process. `up` runs this before it starts the others."""
    from ops.local.prepare import prepare as work

    run("init", work(definitions_file))
