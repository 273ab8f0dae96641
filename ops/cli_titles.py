"""`tallymill titles` on the command line: options. What a command does is imported when it runs."""

from typing import Annotated

import typer

titles = typer.Typer(
    name="titles", help="Titles of AddEvent that count by their names: list, free.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@titles.command("list")
def titles_list(
    app_id: Annotated[str, typer.Argument(metavar="APP", help="The app whose titles to list.")],
    hours: Annotated[int, typer.Option("--hours", min=1, max=720, help="How long back items are counted.")] = 24,
    *,
    as_json: Json = False,
) -> None:
    """List an app's titles: the first record, by whom, whether it was freed, and how many items count lately."""
    from ops import admin  # noqa: PLC0415
    from ops.titles import command  # noqa: PLC0415

    raise typer.Exit(admin.guarded(command.show_list(app_id, hours, as_json=as_json)))


@titles.command("free")
def titles_free(
    app_id: Annotated[str, typer.Argument(metavar="APP", help="The app whose titles to free.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="TITLE...", help="These titles.")] = None,
    player: Annotated[str | None, typer.Option("--player", help="All that this player was the first to send.")] = None,
    *,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="All that only anonymous actors have sent.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which, and do nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Make room for other titles. Counts made stay as they are. Exit status 2 if a title is not registered."""
    from ops import admin  # noqa: PLC0415
    from ops.titles import command, store  # noqa: PLC0415

    wanted = command.FreeWanted(store.Chosen(app_id, tuple(names or ()), anonymous, player), dry_run=dry_run)
    raise typer.Exit(admin.guarded(command.free_some(wanted, as_json=as_json)))
