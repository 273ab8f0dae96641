"""`tallymill config`."""

import json

import typer

from ops.commands.options import Json, run

app = typer.Typer()


@app.command()
def config(*, as_json: Json = False) -> None:
    """Print all settings and their values. Secrets are masked."""
    run("config", show(as_json=as_json))


async def show(*, as_json: bool) -> int:
    """The settings in use, where each was read, and what is ignored."""
    from ops.config import SettingsError, find_settings, shown
    from ops.output import EXIT_OK, print_table, remark, say

    found = find_settings()
    if found.problems:
        raise SettingsError(found.problems)
    sections, sources = shown(found.settings), found.sources
    if as_json:
        ignored = {"ignored": sources.ignored_variables, "ignored_files": sources.ignored_files}
        say(json.dumps({**sections, **ignored, "from": sources.origins_of_settings()}))
        return EXIT_OK
    rows = [
        (name, "" if value is None else str(value), sources.origins_of_settings().get(name, ""))
        for section, values in sections.items()
        for name, value in ((f"{section}.{one}", each) for one, each in values.items())
    ]
    print_table(("setting", "value", "from"), rows)
    if sources.ignored_variables:
        remark(
            "\n".join(["", "Ignored variables, which Kubernetes sets for its services:", *sources.ignored_variables])
        )
    if sources.ignored_files:
        remark("\n".join(["", "Ignored files in the folder of secrets:", *sources.ignored_files]))
    return EXIT_OK
