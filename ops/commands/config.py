"""`tallymill config`."""

import json
import os

import typer

from ops.commands.options import Json, run

app = typer.Typer()


@app.command()
def config(*, as_json: Json = False) -> None:
    """Print all settings and their values. Secrets are masked."""
    run(show(as_json=as_json))


async def show(*, as_json: bool) -> int:
    """The settings in use, and the variables that are ignored because Kubernetes has set them."""
    from ops.config import ignored_variables, load_settings, shown
    from ops.output import EXIT_OK, print_table, remark, say

    sections, ignored = shown(load_settings()), ignored_variables(os.environ)
    if as_json:
        say(json.dumps({**sections, "ignored": ignored}))
        return EXIT_OK
    rows = [
        (f"{section}.{name}", "" if value is None else str(value))
        for section, values in sections.items()
        for name, value in values.items()
    ]
    print_table(("setting", "value"), rows)
    if ignored:
        remark("\n".join(["", "Ignored variables, which Kubernetes sets for its services:", *ignored]))
    return EXIT_OK
