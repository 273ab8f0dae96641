"""Links that open the page without a password: `tallymill up` and `tallymill link` print them.

A link carries a code that works once, for some minutes. It stands in the fragment of the URL, which browsers don't
send: no server and no proxy can log it. open.html sends it in a body. The code is signed with console.session_keys:
a person who has the settings can make one, and could make sessions too.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from console.access.sealed import derived_key

LINK_SECONDS: Final = 600
SUBJECT: Final = "link"
"""Who a person is that came by a link."""

MAX_CODE_CHARACTERS: Final = 200
_PURPOSE: Final = "tallymill console link"
_PARTS: Final = 4


def link(console: str, key: bytes, app: str, now_seconds: float) -> str:
    """A link to the page at this address, for an operator of this app."""
    said = f"{app}.{int(now_seconds)}.{secrets.token_urlsafe(9)}"
    return f"{console}/open#{said}.{_mac(key, said)}"


def _mac(key: bytes, said: str) -> str:
    made = hmac.digest(derived_key(key, _PURPOSE), said.encode(), "sha256")[:16]
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


class Links:
    """The codes of links. Those of before the start of this process count as used, because it can't know.

    `keys`: none accepts no code.
    """

    def __init__(self, keys: Sequence[bytes], started_seconds: float) -> None:
        self._keys = keys
        self._started_seconds = int(started_seconds)
        self._used: dict[str, int] = {}

    def renew(self, keys: Sequence[bytes]) -> None:
        """Accept codes of these keys from now on; of none if there were none."""
        self._keys = keys if self._keys else ()

    def use(self, code: str, now_seconds: float) -> str | None:
        """The app that the code is for; None if it is wrong, too old, or was used before."""
        said, _, mac = code.rpartition(".")
        parts = code.split(".")
        is_ours = code.isascii() and len(code) <= MAX_CODE_CHARACTERS and len(parts) == _PARTS
        if not (is_ours and any(hmac.compare_digest(_mac(key, said), mac) for key in self._keys)):
            return None
        app, made_seconds = parts[0], int(parts[1])
        if not self._started_seconds <= made_seconds <= now_seconds < made_seconds + LINK_SECONDS or said in self._used:
            return None
        self._used = {one: made for one, made in self._used.items() if now_seconds < made + LINK_SECONDS}
        self._used[said] = made_seconds
        return app
