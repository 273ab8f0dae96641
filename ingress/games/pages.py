"""Paging of the lists (G20): page tokens, and the page that a query asks for. Pure.

A page token holds the last id shown. So a definition that is added or retired between two pages neither shifts nor
repeats the next items. It is signed for one app, player and method: no other token is accepted.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from schemas.games.body import DEFAULT_RESULTS, MAX_RESULTS
from schemas.games.judging import matches_id
from schemas.records.signing import SigningKeys
from schemas.wire.int64 import INT64_PATTERN
from schemas.wire.malformed import Violation

_INT32_MAX: Final = 2**31 - 1
_is_integer = re.compile(INT64_PATTERN[:-1] + r"\Z").match

Item = TypeVar("Item")


class BadPage(ValueError):
    """Wrong parameters of a page, a violation for each."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))


class Listing(NamedTuple):
    """The list that a page token is valid for."""

    app: str
    player: str
    method: str


@dataclass(frozen=True, slots=True)
class Page:
    """At most `size` items with ids after `after`; "" means from the first."""

    after: str = ""
    size: int = DEFAULT_RESULTS


def page_of(query: Mapping[str, str], listing: Listing, keys: SigningKeys) -> Page:
    """The page that `maxResults` and `pageToken` ask for. Raises BadPage, which names both if both are wrong."""
    violations = []
    size, after = DEFAULT_RESULTS, ""
    if (text := query.get("maxResults")) is not None:
        if _is_integer(text) and 1 <= int(text) <= _INT32_MAX:
            size = min(int(text), MAX_RESULTS)
        else:
            violations.append(Violation(field="maxResults", description="Must be an int32 of at least 1"))
    if token := query.get("pageToken"):
        if (last := _last_shown(token, listing, keys)) is not None:
            after = last
        else:
            text = "Must be the nextPageToken of this list, as this player got it"
            violations.append(Violation(field="pageToken", description=text))
    if violations:
        raise BadPage(tuple(violations))
    return Page(after, size)


def cut(items: Iterable[Item], id_of: Callable[[Item], str], page: Page) -> tuple[tuple[Item, ...], str | None]:
    """The items of this page, sorted by id, and the last id if more follow."""
    rest = sorted((item for item in items if id_of(item) > page.after), key=id_of)
    shown = tuple(rest[: page.size])
    return shown, id_of(shown[-1]) if len(rest) > page.size else None


def page_token(last: str, listing: Listing, keys: SigningKeys) -> str:
    """URL-safe, 172 characters at most: an id of 64, and 64 hex digits."""
    return base64.urlsafe_b64encode(f"{last}.{_mac(last, listing, keys)}".encode()).decode()


def _last_shown(token: str, listing: Listing, keys: SigningKeys) -> str | None:
    """The inverse of page_token. None if the token is not of this listing."""
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    last, _, mac = text.partition(".")
    return last if matches_id(last) and keys.verifies(_signed(last, listing), mac.encode()) else None


def _mac(last: str, listing: Listing, keys: SigningKeys) -> str:
    return keys.sign(_signed(last, listing))


def _signed(last: str, listing: Listing) -> tuple[bytes, ...]:
    """The first part separates these signatures from those of receipts and `judged` headers."""
    return (b"page", *(part.encode() for part in listing), last.encode())
