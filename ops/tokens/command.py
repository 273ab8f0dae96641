"""`tallymill token`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ops.config import load_settings
from ops.output import EXIT_BAD_INPUT, EXIT_OK, complain, say
from ops.tokens.token import make_token


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """The claims of a token."""

    app: str
    player: str
    scopes: Sequence[str]
    seconds: int
    anonymous: bool


async def token(options: TokenOptions, *, as_json: bool) -> int:
    """The token is alone on the last line."""
    settings = load_settings()
    try:
        made = make_token(
            settings, options.app, options.player, options.scopes, anonymous=options.anonymous, seconds=options.seconds
        )
    except ValueError as error:
        complain(str(error))
        return EXIT_BAD_INPUT
    say(json.dumps({"token": made, "app": options.app, "player": options.player}) if as_json else made)
    return EXIT_OK
