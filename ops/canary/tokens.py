"""The canary's token: from the settings, from a file, or signed by the local issuer."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from ops.canary.ingress import TokenMissing
from ops.config import Settings, SettingsError, variable_of
from ops.tokens.token import make_token
from schemas.canary import CANARY_APP, CANARY_SCOPE
from schemas.games.scopes import GAMES_SCOPE

# A token of the local issuer is valid for a day.
RENEW_SECONDS = 3_600

REQUIRED = (
    f"canary.token or canary.token_file: required ({variable_of('canary.token')}), because there is no local issuer "
    "(tokens.private_key)"
)


def token_source(settings: Settings) -> Callable[[], str]:
    """What gives the token for the next request. It raises TokenMissing. Raises SettingsError."""
    canary = settings.canary
    if canary.token and canary.token_file:
        raise SettingsError(["canary.token, canary.token_file: set only one of them"])
    if given := canary.token:
        if not _is_token(given.get_secret_value().strip()):
            raise SettingsError(["canary.token: must be one word of printable ASCII characters"])
        return lambda: given.get_secret_value().strip()
    if canary.token_file:
        file = Path(canary.token_file)
        return lambda: _read(file)
    if not settings.tokens.private_key:
        raise SettingsError([REQUIRED])
    return _LocalTokens(settings)


def _read(file: Path) -> str:
    try:
        found = file.read_text(errors="replace").strip()
    except OSError as error:
        raise TokenMissing(f"canary.token_file: {file} can't be read") from error
    if not _is_token(found):
        raise TokenMissing(f"canary.token_file: {file} does not hold a token")
    return found


def _is_token(text: str) -> bool:
    """Whether it can be sent in a header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


class _LocalTokens:
    """Tokens of the local issuer, for a player of this process alone: two canaries must not share a total."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._player = f"canary-{secrets.token_hex(8)}"
        self._renew_at = float("-inf")
        self()

    def __call__(self) -> str:
        if time.monotonic() > self._renew_at:
            self._token = make_token(self._settings, CANARY_APP, self._player, [GAMES_SCOPE, CANARY_SCOPE])
            self._renew_at = time.monotonic() + RENEW_SECONDS
        return self._token
