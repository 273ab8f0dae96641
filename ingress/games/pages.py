"""Paging of the lists (G20): the page that a query asks for, and its items. Pure.

A page token holds the last id shown. So a definition that is added or retired between two pages neither shifts nor
repeats the next items. It is signed for one app, player and method, and has 172 characters at most: clients send a
request with a long URL as a POST (G1).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from schemas.games.body import DEFAULT_RESULTS, MAX_RESULTS
from schemas.games.judging import matches_id
from schemas.records.signing import SigningKeys
from serving.http.paging import WRONG_PLACE, WRONG_SIZE, page_size, signed_place
from serving.http.query import BadQuery

Item = TypeVar("Item")


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
    """The page that `maxResults` and `pageToken` ask for. Raises BadQuery, which names both if both are wrong."""
    text = query.get("maxResults")
    size = DEFAULT_RESULTS if text is None else page_size(text, MAX_RESULTS)
    after = _after(query.get("pageToken"), listing, keys)
    if size is not None and after is not None:
        return Page(after, size)
    values = (("maxResults", size, WRONG_SIZE), ("pageToken", after, WRONG_PLACE))
    raise BadQuery(*((name, why) for name, value, why in values if value is None))


def _after(token: str | None, listing: Listing, keys: SigningKeys) -> str | None:
    """The last id that was shown. None if the token is not of this list."""
    if not token:
        return ""
    last = signed_place(token, listing, keys)
    return last if last and matches_id(last) else None


def cut(items: Iterable[Item], id_of: Callable[[Item], str], page: Page) -> tuple[tuple[Item, ...], str | None]:
    """The items of this page, sorted by id, and the last id if more follow."""
    rest = sorted((item for item in items if id_of(item) > page.after), key=id_of)
    shown = tuple(rest[: page.size])
    return shown, id_of(shown[-1]) if len(rest) > page.size else None
