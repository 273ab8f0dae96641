"""`tallymill load`."""

from typing import Annotated, Literal

import typer

from ops.commands.options import Json, run

app = typer.Typer()


@app.command()
def load(
    rate: Annotated[float, typer.Option(min=0.1, max=100_000, help="Requests a second.")] = 100,
    seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="Duration in seconds.")] = 10,
    players: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of players that send.")] = 1_000,
    duplicates: Annotated[
        float, typer.Option(min=0, max=1, help="Share of requests that repeat an earlier one, from 0 to 1.")
    ] = 0.05,
    api: Annotated[
        Literal["games", "analytics"],
        typer.Option(help="games: batches to events.record. analytics: pools to AddEventBatch."),
    ] = "games",
    seed: Annotated[int, typer.Option(help="The same seed gives the same requests.")] = 1,
    *,
    url: Annotated[str | None, typer.Option(help="URL of the ingress. Default: the ingress of the settings.")] = None,
    as_json: Json = False,
) -> None:
    """Send requests at a fixed rate for a new app, and compare every sum in MongoDB with what was sent.

    Ctrl-C ends it early. Then the sums of what was sent so far are compared.

    Exit status 1: a sum differs, a request was refused, its outcome is unknown, or a server is unavailable.
    """
    from ops.load.command import load as work
    from ops.load.plan import LoadOptions

    run("load", work(LoadOptions(rate, seconds, players, duplicates, seed), url, api, as_json=as_json))
