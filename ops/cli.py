"""The command line: options and exit statuses. What a command does is imported when it runs, so that help is quick."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.cli_titles import titles

app = typer.Typer(
    name="tallymill",
    help="Counts events exactly once: HTTP -> Kafka -> workers -> MongoDB.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

definitions = typer.Typer(name="definitions", help="Declare an app's events, or list them.", no_args_is_help=True)
app.add_typer(definitions)

lineage = typer.Typer(name="lineage", help="What a topic's offsets belong to, and where counting starts.")
app.add_typer(lineage)

dead_letters = typer.Typer(
    name="dead-letters", help="Records that nobody could read or store: list, show, redrive.", no_args_is_help=True
)
app.add_typer(dead_letters)

app.add_typer(titles)

Data = Annotated[
    Path, typer.Option("--data", envvar="TALLYMILL_DATA", file_okay=False, help="Folder of the local system's data.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]

DATA_FOLDER = Path(".tallymill")


@app.command()
def up(
    workers: Annotated[int, typer.Option(min=0, max=64, help="Worker processes.")] = 2,
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the system is ready.")] = False,
    data: Data = DATA_FOLDER,
    as_json: Json = False,
) -> None:
    """Run the local system: Kafka, MongoDB, the ingress, workers and console. Exit status 0 if it runs already."""
    from ops.local import commands  # noqa: PLC0415

    run = commands.up_detached if detach else commands.up
    raise typer.Exit(run(data, workers, as_json=as_json))


@app.command()
def down(*, data: Data = DATA_FOLDER, as_json: Json = False) -> None:
    """Stop the local system, in order and in bounded time."""
    from ops.local import commands  # noqa: PLC0415

    raise typer.Exit(commands.down(data, as_json=as_json))


@app.command()
def status(*, data: Data = DATA_FOLDER, as_json: Json = False) -> None:
    """Ask every process whether it works. Exit status 0 if all is ready, 1 if something isn't, 3 if not running."""
    from ops.local import commands  # noqa: PLC0415

    raise typer.Exit(commands.status(data, as_json=as_json))


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="kafka, mongodb, ingress, worker-1, ...; all without it.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines from the end of each log.")] = 20,
    data: Data = DATA_FOLDER,
) -> None:
    """Show the logs of the local system's processes."""
    from ops.local import commands  # noqa: PLC0415

    raise typer.Exit(commands.logs(data, name, lines=lines, follow=follow))


@app.command()
def ingress() -> None:
    """Run one ingress process, configured by the environment or a TOML file; what production runs."""
    from ingress import server  # noqa: PLC0415
    from ops import run  # noqa: PLC0415
    from ops.config import ingress_config  # noqa: PLC0415

    raise typer.Exit(run.run_process(ingress_config, server.run))


@app.command()
def worker() -> None:
    """Run one worker process, configured by the environment or a TOML file; what production runs."""
    from consumer import server  # noqa: PLC0415
    from ops import run  # noqa: PLC0415
    from ops.config import worker_config  # noqa: PLC0415

    raise typer.Exit(run.run_process(worker_config, server.run))


@app.command()
def console() -> None:
    """Run one console process, the query side, configured by the environment or a TOML file; what production runs."""
    from console import server  # noqa: PLC0415
    from ops import run  # noqa: PLC0415
    from ops.config import console_config  # noqa: PLC0415

    raise typer.Exit(run.run_process(console_config, server.run))


@app.command()
def init(
    *,
    add_partitions: Annotated[
        bool, typer.Option("--add-partitions", help="Give topics that have records kafka.partitions, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make what is missing: topics, collections, indexes; check the rest. Safe to repeat. Exit status 1 if wrong."""
    from ops import admin  # noqa: PLC0415

    raise typer.Exit(admin.guarded(admin.init(as_json=as_json, add_partitions=add_partitions)))


@app.command(hidden=True)
def prepare(definitions_file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON.")]) -> None:
    """`init`, then `definitions apply FILE`, in one process: what `up` runs before the others."""
    from ops import admin  # noqa: PLC0415

    raise typer.Exit(admin.guarded(admin.prepare(definitions_file)))


@app.command()
def doctor(*, as_json: Json = False) -> None:
    """Look at everything the promise rests on. Exit status 1 if something is wrong."""
    from ops import admin  # noqa: PLC0415

    raise typer.Exit(admin.guarded(admin.doctor(as_json=as_json)))


@app.command()
def config(*, as_json: Json = False) -> None:
    """Print the settings in force, secrets masked."""
    from ops import admin  # noqa: PLC0415

    raise typer.Exit(admin.guarded(admin.config(as_json=as_json)))


@app.command()
def token(
    app_id: Annotated[str, typer.Option("--app", help="The app the token is for.")],
    player: Annotated[str, typer.Option("--player", help="The player it names.")],
    *,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="An anonymous session instead of a player.")] = False,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="A scope; the games scope if none.")] = None,
    seconds: Annotated[int, typer.Option("--seconds", min=1, help="How long it is valid.")] = 86_400,
    as_json: Json = False,
) -> None:
    """Sign a token with the local issuer's key; it is printed alone on the last line."""
    from ops import admin  # noqa: PLC0415
    from ops.tokens.token import GAMES_SCOPE  # noqa: PLC0415

    wanted = admin.TokenWanted(app_id, player, tuple(scope or (GAMES_SCOPE,)), seconds, anonymous=anonymous)
    raise typer.Exit(admin.guarded(admin.token(wanted, as_json=as_json)))


@definitions.command("apply")
def definitions_apply(
    file: Annotated[Path, typer.Argument(help="YAML or JSON.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
    retire_all: Annotated[bool, typer.Option("--retire-all", help="Even if no event of today is left.")] = False,
    as_json: Json = False,
) -> None:
    """Declare an app's events as the file has them; one that is not in it any more is retired."""
    from ops import admin  # noqa: PLC0415

    wanted = admin.ApplyWanted(dry_run=dry_run, retire_all=retire_all)
    raise typer.Exit(admin.guarded(admin.definitions_apply(file, wanted, as_json=as_json)))


@definitions.command("list")
def definitions_list(
    app_id: Annotated[str, typer.Option("--app", help="The app whose events to list.")], *, as_json: Json = False
) -> None:
    """List an app's events, retired ones too."""
    from ops import admin  # noqa: PLC0415

    raise typer.Exit(admin.guarded(admin.definitions_list(app_id, as_json=as_json)))


@app.command()
def load(
    rate: Annotated[float, typer.Option(min=0.1, max=100_000, help="Requests a second.")] = 100,
    seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="How long.")] = 10,
    players: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many players send them.")] = 1_000,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of batches (pools) sent again.")] = 0.05,
    api: Annotated[
        Literal["games", "analytics"], typer.Option(help="Batches to events.record, or pools to AddEventBatch.")
    ] = "games",
    seed: Annotated[int, typer.Option(help="The same seed sends the same load.")] = 1,
    *,
    url: Annotated[str | None, typer.Option(help="The ingress; the one of the settings if none.")] = None,
    as_json: Json = False,
) -> None:
    """Send open-loop load to an app of its own, report, and check every sum against MongoDB to the unit."""
    from ops import admin  # noqa: PLC0415
    from ops.load.command import load as run  # noqa: PLC0415
    from ops.load.plan import LoadOptions  # noqa: PLC0415

    options = LoadOptions(rate, seconds, players, duplicates, seed)
    raise typer.Exit(admin.guarded(run(options, url, api, as_json=as_json)))


@app.command()
def verify(*, as_json: Json = False) -> None:
    """Recount from Kafka what MongoDB says, to the unit. Exit status 1 if they differ, 2 if one is away."""
    from ops import admin  # noqa: PLC0415
    from ops.verify import command  # noqa: PLC0415

    raise typer.Exit(admin.guarded(command.verify(as_json=as_json)))


@lineage.callback(invoke_without_command=True)
def lineage_show(context: typer.Context, *, as_json: Json = False) -> None:
    """List lineages, how far each partition is, what is lost. Exit status 1 if one is lost or stopped."""
    from ops import admin  # noqa: PLC0415
    from ops.lineage import command  # noqa: PLC0415

    if context.invoked_subcommand is None:
        raise typer.Exit(admin.guarded(command.show(as_json=as_json)))


@lineage.command("start")
def lineage_start(
    start: Annotated[
        str, typer.Option("--from", help="beginning, end, one offset, or a JSON map of partition: offset.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why, for who reads it later.")],
    topic: Annotated[str | None, typer.Option("--topic", help="The topic; the one of the settings if none.")] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Accept what it gives up: verify names it and exits with 0.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start a new lineage: from now on the topic is counted from there. Refused where records could count twice."""
    from ops import admin  # noqa: PLC0415
    from ops.lineage import command  # noqa: PLC0415

    wanted = command.StartWanted(topic, start, reason, yes=yes, accept_loss=accept_loss)
    raise typer.Exit(admin.guarded(command.start(wanted, as_json=as_json)))


@lineage.command("accept-loss")
def lineage_accept_loss(
    identity: Annotated[str, typer.Argument(metavar="LINEAGE", help="The one that names the loss: r3.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for who reads it later.")],
    *,
    as_json: Json = False,
) -> None:
    """Accept what a lineage has lost: verify goes on naming it, and exits with 0. Loss that is found later is new."""
    from ops import admin  # noqa: PLC0415
    from ops.lineage import command  # noqa: PLC0415

    raise typer.Exit(admin.guarded(command.accept_loss(identity, reason, as_json=as_json)))


Reason = Annotated[str | None, typer.Option("--reason", help="Only those whose reason holds this, in any case.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="At most so many, oldest first.")]


@dead_letters.command("list")
def dead_letters_list(reason: Reason = None, limit: Limit = 100, *, as_json: Json = False) -> None:
    """List dead letters, oldest first."""
    from ops import admin  # noqa: PLC0415
    from ops.dead_letters import command, store  # noqa: PLC0415

    chosen = store.Chosen(reason, limit=limit)
    raise typer.Exit(admin.guarded(command.show_list(chosen, as_json=as_json)))


@dead_letters.command("show")
def dead_letters_show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="lineage/partition/offset, as the list has it.")],
    *,
    as_json: Json = False,
) -> None:
    """Show one dead letter whole. Exit status 2 if there is none of that id."""
    from ops import admin  # noqa: PLC0415
    from ops.dead_letters import command  # noqa: PLC0415

    raise typer.Exit(admin.guarded(command.show_one(identity, as_json=as_json)))


@dead_letters.command("redrive")
def dead_letters_redrive(
    reason: Reason = None,
    identity: Annotated[str | None, typer.Option("--id", help="Only this one.")] = None,
    limit: Limit = 1_000,
    rate: Annotated[float | None, typer.Option("--rate", min=0.01, help="At most so many a second.")] = None,
    *,
    again: Annotated[bool, typer.Option("--again", help="Also those that were redriven before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which, and do nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Produce dead letters again to the topic they came from, as they were: none can count twice."""
    from ops import admin  # noqa: PLC0415
    from ops.dead_letters import command, store  # noqa: PLC0415

    wanted = command.RedriveWanted(store.Chosen(reason, identity, limit, again=again), dry_run=dry_run, rate=rate)
    raise typer.Exit(admin.guarded(command.redrive_some(wanted, as_json=as_json)))


def main() -> None:
    """The `tallymill` command. What client libraries log of each try is no answer: a command tells the outcome."""
    for library in ("aiokafka", "kafka", "pymongo", "asyncio"):
        logging.getLogger(library).addHandler(logging.NullHandler())  # or Python itself prints warnings to a terminal
    app()
