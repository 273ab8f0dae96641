"""`tallymill titles`."""

from typing import Annotated

import typer

from ops.commands.options import Json, run

app = typer.Typer(
    name="titles",
    help="Titles of analytics events that have counts of their own: list or free them.",
    no_args_is_help=True,
)

App = Annotated[str, typer.Argument(metavar="APP", help="The app.")]


@app.command("list")
def show_list(
    app_id: App,
    hours: Annotated[
        int, typer.Option("--hours", min=1, max=720, help="How many of the last hours to count events of.")
    ] = 24,
    *,
    as_json: Json = False,
) -> None:
    """List the titles of an app, each with first record, actor, whether it was freed, and number of recent events."""
    from ops.titles import command

    run("titles", command.show_list(app_id, hours, as_json=as_json))


@app.command("free")
def free(
    app_id: App,
    names: Annotated[list[str] | None, typer.Argument(metavar="TITLE...", help="The titles to free.")] = None,
    player: Annotated[
        str | None, typer.Option("--player", help="Free all titles that this player was the first to send.")
    ] = None,
    *,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Free all titles that only anonymous actors have sent.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the titles, and free none.")] = False,
    as_json: Json = False,
) -> None:
    """Free titles, so that the app has room for others. Existing counts stay.

    Exit status 2: a title is not registered; then none is freed.
    """
    from ops.titles import command, store

    chosen = store.Chosen(app_id, tuple(names or ()), anonymous, player)
    run("titles", command.free_some(command.FreeOptions(chosen, dry_run=dry_run), as_json=as_json))
