"""What both queries share: parameters, times, limits, page tokens. Pure.

- A parameter that is not known, or is there twice, is refused: a misspelt `form=` must not answer another question.
- An empty parameter is an absent one: a dashboard's variable that is not set.
- A page token says after what its page begins, and for which query: with another one it is refused.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from schemas.documents import millis_of
from schemas.wire.malformed import Violation

Parameters = Mapping[str, str]

DAY_MILLIS = 86_400_000
# The last millisecond that a date of MongoDB's clients can name (the year 9999).
MAX_MILLIS = 253_402_300_799_999
INT32_MAX = 2**31 - 1
MAX_PARAMETERS = 50

_is_millis = re.compile(r"[0-9]{1,15}\Z").match
_is_rfc3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII).match
TIMES = "must be RFC 3339 (2026-11-23T13:00:00Z; an offset's + is %2B in a URL) or milliseconds since 1970 UTC"


class BadQuery(ValueError):
    """Names each parameter that is wrong."""

    def __init__(self, *wrong: tuple[str, str]) -> None:
        self.violations = tuple(Violation(field=name, description=why) for name, why in wrong)
        super().__init__("; ".join(f"{name}: {why}" for name, why in wrong))


def parameters_of(query_string: bytes, known: Collection[str]) -> Parameters:
    """The parameters that are given, by name. Raises BadQuery."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError as error:  # Unicode's errors are ValueErrors
        raise BadQuery(("", f"the query is not usable: {error}")) from error
    names = [name for name, _ in pairs]
    wrong = [(name, "no such parameter") for name in dict.fromkeys(names) if name not in known]
    wrong += [(name, "given twice") for name in known if names.count(name) > 1]
    if wrong:
        raise BadQuery(*wrong)
    return {name: value for name, value in pairs if value}


def millis_param(parameters: Parameters, name: str) -> int | None:
    """A time, ms since 1970 UTC; None when absent. Raises BadQuery."""
    text = parameters.get(name)
    if text is None:
        return None
    millis = int(text) if _is_millis(text) else _rfc3339_millis(text)
    if millis is None or not 0 <= millis <= MAX_MILLIS:
        raise BadQuery((name, TIMES))
    return millis


def _rfc3339_millis(text: str) -> int | None:
    if not _is_rfc3339(text):
        return None
    try:
        return millis_of(datetime.fromisoformat(text.upper()))
    except ValueError:  # a month 13
        return None


def checked_range(from_millis: int, to_millis: int, max_days: int) -> None:
    """Raises BadQuery unless the half-open range holds something, and no more than is allowed."""
    if to_millis <= from_millis:
        raise BadQuery(("to", "must be later than from"))
    if to_millis - from_millis > max_days * DAY_MILLIS:
        raise BadQuery(("to", f"must be at most {max_days} days after from"))


def limit_param(parameters: Parameters, default: int, most: int) -> int:
    """Rows of a page; more than `most` is `most`. Raises BadQuery."""
    text = parameters.get("limit", str(min(default, most)))
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= INT32_MAX):  # noqa: PLR2004 int32
        raise BadQuery(("limit", f"must be a number from 1 to {most}"))
    return min(int(text), most)


def page_token(place: Sequence[str | int], query: Sequence[str | int | None]) -> str:
    """The place after which the next page of this very query begins."""
    text = json.dumps([_digest(query), *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(token: str, query: Sequence[str | int | None], shape: Sequence[type]) -> tuple[Any, ...]:
    """The inverse of page_token() for a place of this shape: texts, and numbers from 0. Raises BadQuery."""
    try:
        found = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    match found:
        case [str() as digest, *place] if digest == _digest(query) and [type(part) for part in place] == [*shape]:
            if all(0 <= part <= MAX_MILLIS for part in place if isinstance(part, int)):
                return tuple(place)
    raise BadQuery(("pageToken", "is not one of this query's: take nextPageToken, and change nothing but limit"))


def _digest(query: Sequence[str | int | None]) -> str:
    return hashlib.blake2b(json.dumps(query).encode(), digest_size=6).hexdigest()
