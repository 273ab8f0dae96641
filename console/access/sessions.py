"""The sessions of the page: an encrypted cookie, so that every replica accepts it and a restart ends none.

Nothing is kept here, so a session can't be taken back before its end: `console.session_seconds` bounds it. Changing
`console.session_keys` ends all at once.
"""

import hmac
import math
import secrets
from collections.abc import Iterable, Sequence
from typing import Final

from console.access.caller import Caller
from console.access.sealed import Seal
from console.access.site import Site
from schemas.errors.table import Refusal
from schemas.wire.console_replies import OPERATE_SCOPE, READ_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE
from serving.headers import RawHeader
from serving.http.request import Request
from serving.refused import Refused

NAME: Final = "session"
CSRF_HEADER: Final = b"x-csrf-token"
KEPT_SCOPES: Final = frozenset({READ_SCOPE, REFUSALS_SCOPE, OPERATE_SCOPE})
"""Others mean nothing to the console, and a cookie has 4 KiB."""


class CookieSessions:
    """Implements Sessions."""

    def __init__(self, site: Site, keys: Sequence[bytes], seconds: int) -> None:
        self._site = site
        self.seal = Seal(keys, NAME)
        self._seconds = seconds

    def begin(self, subject: str, app: str, scopes: Iterable[str], now_seconds: float) -> tuple[Caller, RawHeader]:
        """Who is signed in now, and the cookie to set.

        Strict, because no link of another site has to bring it: the page is the same for all, and asks by itself.
        """
        ends = math.floor(now_seconds) + self._seconds
        kept = sorted(KEPT_SCOPES & frozenset(scopes))
        caller = Caller(subject, app, frozenset(kept), ends, "session", secrets.token_urlsafe(16))
        sealed = self.seal.seal({"sub": subject, "app": app, "scopes": kept, "csrf": caller.csrf}, ends)
        return caller, self._site.cookie(NAME, sealed, self._seconds, "Strict")

    def end(self) -> RawHeader:
        """The cookie that takes the session's away."""
        return self._site.cookie(NAME, "", 0, "Strict")

    def caller(self, request: Request) -> Caller | None:
        sealed = self._site.read_cookie(NAME, request.headers)
        if not sealed or not self._site.is_own(request.headers):
            return None
        found = self.seal.open(sealed, request.wall_millis / 1000)
        if found is None:
            return None
        return Caller(found["sub"], found["app"], frozenset(found["scopes"]), found["exp"], "session", found["csrf"])

    def check_write(self, request: Request, caller: Caller) -> None:
        sent, expected = request.headers.get(CSRF_HEADER, b""), (caller.csrf or "").encode()
        is_repeated = bool(expected) and hmac.compare_digest(sent, expected)
        if not (is_repeated and self._site.is_from_page(request.headers)):
            raise Refused(Refusal.NOT_THE_PAGE)
