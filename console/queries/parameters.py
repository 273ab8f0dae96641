"""The parameters that both queries share: times, limits, page tokens. Pure.

- An unknown or repeated parameter is refused: otherwise a misspelt `form=` would return the rows of another range.
- An empty parameter counts as absent: dashboards send one for a variable that is not set.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from schemas.documents import millis_of
from serving.http.paging import WRONG_PLACE, WRONG_SIZE, digest_place, page_size
from serving.http.query import BadQuery, parameter_pairs

Parameters = Mapping[str, str]

DAY_MILLIS = 86_400_000
# The last millisecond that a date of MongoDB's clients can name (the year 9999).
MAX_MILLIS = 253_402_300_799_999
# A query has at most eight different parameters. Without a bound, a reply could name thousands of unknown ones.
MAX_PARAMETERS = 50

_is_millis = re.compile(r"[0-9]{1,15}\Z").match
_is_rfc3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII).match
WRONG_TIME: Final = (
    "Must be RFC 3339 (2026-11-23T13:00:00Z; an offset's + is %2B in a URL) or milliseconds since 1970 UTC"
)


def parameters_of(query_string: bytes, known: Collection[str]) -> Parameters:
    """The parameters that are present and not empty, by name. Raises BadQuery."""
    pairs = parameter_pairs(query_string, MAX_PARAMETERS)
    names = [name for name, _ in pairs]
    wrong = [(name, "There is no such parameter") for name in dict.fromkeys(names) if name not in known]
    wrong += [(name, "Must not be repeated") for name in known if names.count(name) > 1]
    if wrong:
        raise BadQuery(*wrong)
    return {name: value for name, value in pairs if value}


def millis_param(parameters: Parameters, name: str) -> int | None:
    """A time in milliseconds since 1970 UTC; None if absent. Raises BadQuery."""
    text = parameters.get(name)
    if text is None:
        return None
    millis = int(text) if _is_millis(text) else _rfc3339_millis(text)
    if millis is None or not 0 <= millis <= MAX_MILLIS:
        raise BadQuery((name, WRONG_TIME))
    return millis


def _rfc3339_millis(text: str) -> int | None:
    if not _is_rfc3339(text):
        return None
    try:
        return millis_of(datetime.fromisoformat(text.upper()))
    except ValueError:  # month 13
        return None


def checked_range(from_millis: int, to_millis: int, max_days: int) -> None:
    """Raises BadQuery for a range (half-open) that is empty or too long."""
    if to_millis <= from_millis:
        raise BadQuery(("to", "Must be later than from"))
    if to_millis - from_millis > max_days * DAY_MILLIS:
        raise BadQuery(("to", f"Must be at most {max_days} days after from"))


def limit_param(parameters: Parameters, default: int, most: int) -> int:
    """The number of rows of a page, at most `most`. Raises BadQuery."""
    text = parameters.get("limit")
    # The console has always accepted leading zeros.
    size = min(default, most) if text is None else page_size(text.lstrip("0"), most)
    if size is None:
        raise BadQuery(("limit", WRONG_SIZE))
    return size


def place_param(
    parameters: Parameters, query: Sequence[str | int | None], shape: Sequence[type]
) -> tuple[Any, ...] | None:
    """The place after which the page begins; None for the first page. Raises BadQuery.

    `query`: what the token is bound to. `shape`: the types of the place's parts; its numbers are times.
    """
    token = parameters.get("pageToken")
    if token is None:
        return None
    place = digest_place(token, query, shape)
    if place is None or not all(0 <= part <= MAX_MILLIS for part in place if isinstance(part, int)):
        raise BadQuery(("pageToken", WRONG_PLACE))
    return place
