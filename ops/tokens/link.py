"""`tallymill link`: a link that opens the console's page, for the operator of a system without an issuer."""

import time

from console.access.links import LINK_SECONDS, link
from console.config import ConsoleSettings
from ops.config import Settings, SettingsError, load_settings
from ops.output import EXIT_BAD_INPUT, EXIT_OK, complain, say
from schemas.games.judging import matches_id

NO_KEYS = "console.session_keys: required for a link. `tallymill up` sets it for the local system"
BY_ISSUER = "oidc.issuer is set: people sign in at the page with it, and links are off"


def page_link(settings: Settings, app: str) -> str:
    """A link for this app, which works once within ten minutes. Raises SettingsError."""
    if settings.oidc.issuer:
        raise SettingsError([BY_ISSUER])
    if not settings.console.session_keys:
        raise SettingsError([NO_KEYS])
    key = settings.console.session_keys[0].get_secret_value().encode()
    return link(_address(settings.console), key, app, time.time())


def _address(console: ConsoleSettings) -> str:
    host = f"[{console.host}]" if ":" in console.host else console.host
    return console.public_url or f"http://{host}:{console.port}"


async def print_link(app: str) -> int:
    """The link is alone on the last line."""
    if not matches_id(app):
        complain(f"--app {app}: must be 1 to 64 letters, digits, _ or -")
        return EXIT_BAD_INPUT
    found = page_link(load_settings(), app)
    say(f"Open within {LINK_SECONDS // 60} minutes; it works once:")
    say(found)
    return EXIT_OK
