"""The pages of a list, for the ingress and the console: how many items a page has, and where it begins. Pure.

A page token is URL-safe base64. It holds the place after which the next page begins, and is bound to one query:
- `signed_token` binds a place by a signature: `<place>.<HMAC>`.
- `digest_token` binds a place by a digest: `["<digest>", <part>, ...]`. It needs no key, as the console has none. A
  client can forge such a token, but a place only selects among the rows that the client may read anyway.
Both forms are in circulation, so neither may change.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from schemas.records.signing import SigningKeys

INT32_MAX: Final = 2**31 - 1

_is_number = re.compile(r"[1-9][0-9]{0,9}\Z").match
WRONG_SIZE: Final = f"Must be a whole number from 1 to {INT32_MAX}"
WRONG_PLACE: Final = "Must be a nextPageToken that this caller got for this query. Only the page size may change"


def page_size(text: str, most: int) -> int | None:
    """The number of items that a client asks for, reduced to `most`. None if it is not a size (WRONG_SIZE)."""
    return min(int(text), most) if _is_number(text) and int(text) <= INT32_MAX else None


def signed_token(place: str, query: Sequence[str], keys: SigningKeys) -> str:
    """The token of a place that `signed_place` reads back for the same query."""
    return _encoded(f"{place}.{keys.sign(_signed(place, query))}")


def signed_place(token: str, query: Sequence[str], keys: SigningKeys) -> str | None:
    """The place of a token. None if the token was not signed for this query (WRONG_PLACE)."""
    place, _, mac = _decoded(token).rpartition(".")
    return place if keys.verifies(_signed(place, query), mac.encode()) else None


def digest_token(place: Sequence[str | int], query: Sequence[str | int | None]) -> str:
    """The token of a place that `digest_place` reads back for the same query."""
    # Without padding a token needs no escaping in a URL.
    return _encoded(json.dumps([_digest(query), *place], separators=(",", ":"))).rstrip("=")


def digest_place(token: str, query: Sequence[str | int | None], shape: Sequence[type]) -> tuple[Any, ...] | None:
    """The place of a token, its parts of the types of `shape`. None if the token is not of this query (WRONG_PLACE)."""
    with suppress(ValueError, RecursionError):  # deeply nested arrays exceed the recursion limit
        match json.loads(_decoded(token)):
            case [str() as digest, *place] if digest == _digest(query) and [type(part) for part in place] == [*shape]:
                return tuple(place)
    return None


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decoded(token: str) -> str:
    """The text of a token, with or without padding; "" if it is not base64 of UTF-8."""
    try:
        return base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _signed(place: str, query: Sequence[str]) -> tuple[bytes, ...]:
    """The first part separates these signatures from those of receipts and `judged` headers."""
    return (b"page", *(part.encode() for part in query), place.encode())


def _digest(query: Sequence[str | int | None]) -> str:
    return hashlib.blake2b(json.dumps(query).encode(), digest_size=6).hexdigest()
