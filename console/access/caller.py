"""Who sends a request to the console, and with which scopes. Pure."""

from dataclasses import dataclass
from typing import Literal

Way = Literal["bearer", "session"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. The app is the caller's own: others need the scope tallymill.operate.

    `expires_seconds`: since 1970 UTC; infinite if the issuer does not say. `csrf`: what a write of this session must
    repeat; None for a bearer token, which no page sends by itself.
    """

    subject: str
    app: str
    scopes: frozenset[str]
    expires_seconds: float
    way: Way
    csrf: str | None = None
