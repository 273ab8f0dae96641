"""`tallymill definitions`."""

from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import Json, run

app = typer.Typer(name="definitions", help="Declare the events of an app, or list them.", no_args_is_help=True)


@app.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The definitions, as YAML or JSON.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the changes, and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Retire events without asking.")] = False,
    retire_all: Annotated[
        bool, typer.Option("--retire-all", help="Allow a file that retires all events of the app.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Declare the events of an app as a file lists them. An event that the file does not list is retired.

    Asks before it retires events. Exit status 2: there is no terminal to ask at, and no --yes.
    """
    from ops.definitions.command import ApplyOptions
    from ops.definitions.command import apply as work

    run("definitions", work(file, ApplyOptions(dry_run=dry_run, yes=yes, retire_all=retire_all), as_json=as_json))


@app.command("list")
def show_list(
    app_id: Annotated[str | None, typer.Option("--app", help="The app whose events are listed.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the events of an app, including retired ones. Without --app, list the apps.

    Exit status 2: the app has no events.
    """
    from ops.definitions.command import show_apps, show_list

    run("definitions", show_apps(as_json=as_json) if app_id is None else show_list(app_id, as_json=as_json))
