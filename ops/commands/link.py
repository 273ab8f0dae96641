"""`tallymill link`."""

from typing import Annotated

import typer

from ops.commands.options import run

app = typer.Typer()


@app.command()
def link(
    app_id: Annotated[str, typer.Option("--app", help="The app whose counts the page shows.")] = "demo",
) -> None:
    """Print a link that opens the console's page. It works once, within ten minutes.

    For a system without an issuer (oidc.issuer). A person with the link sees all, and can redrive dead letters.
    """
    from ops.tokens.link import print_link

    run("link", print_link(app_id))
