"""`tallymill token` and `tallymill keys`."""

from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import Json, run

app = typer.Typer()


@app.command()
def token(
    app_id: Annotated[str, typer.Option("--app", help="The app that the token is for.")],
    player: Annotated[str, typer.Option("--player", help="The player that the token names.")],
    *,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Make a token of an anonymous session, not of a player.")
    ] = False,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="A scope of the token; may be repeated. Default: that of the games API."),
    ] = None,
    seconds: Annotated[int, typer.Option("--seconds", min=1, help="Seconds that the token is valid.")] = 86_400,
    as_json: Json = False,
) -> None:
    """Sign a token with the key of the local issuer. The last line of the output is the token alone."""
    from ops.tokens.command import TokenOptions
    from ops.tokens.command import token as work
    from schemas.games.scopes import GAMES_SCOPE

    options = TokenOptions(app_id, player, tuple(scope or (GAMES_SCOPE,)), seconds, anonymous=anonymous)
    run("token", work(options, as_json=as_json))


@app.command()
def keys(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the keys are kept. It is made if it is missing.")
    ],
) -> None:
    """Make the keys of a new system in a folder, and keep those that are there.

    What ingress and workers need is in its folder `processes`, what consoles need in `console`, and what signs tokens
    in `issuer`. Each is of use as TALLYMILL_SECRETS_DIR.
    """
    from ops.tokens.keys import keys as work

    run("keys", work(folder))
