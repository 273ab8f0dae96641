"""The parameters of queries: times, limits, page tokens. Pure.

- An unknown or repeated parameter is refused: otherwise a misspelt `form=` would return the rows of another range.
- An empty parameter counts as absent: dashboards send one for a variable that is not set.
- One reply names everything that is wrong, so that a client corrects it in one step.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final, TypeVar

from console.queries.zones import similar_zone, start_of_day, zone_of
from schemas.documents import ID_SCHEMA_PATTERN, millis_of
from schemas.wire.malformed import MAX_VIOLATIONS
from serving.http.paging import WRONG_PLACE, WRONG_SIZE, digest_place, page_size
from serving.http.query import BadQuery, readable_pairs

Parameters = Mapping[str, str]
Wrong = tuple[str, str]
T = TypeVar("T")

DAY_MILLIS = 86_400_000
# The last millisecond that a date of MongoDB's clients can name (the year 9999).
MAX_MILLIS = 253_402_300_799_999
# A query has about a dozen different parameters. Without a bound, a reply could name thousands of unknown ones.
MAX_PARAMETERS = 50

_is_millis = re.compile(r"[0-9]{1,15}\Z").match
_is_rfc3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII).match
_is_date = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII).match
_is_app = re.compile(ID_SCHEMA_PATTERN.replace("$", r"\Z")).match
WRONG_TIME: Final = (
    "Must be RFC 3339 (2026-11-23T13:00:00Z; an offset's + is %2B in a URL), a date (2026-11-23), or milliseconds "
    "since 1970 UTC"
)
WRONG_ZONE: Final = "Must be the name of an IANA time zone, such as Europe/Berlin"
WRONG_APP: Final = "Must be the id of an app: 1 to 64 letters, digits, _ or -"
REQUIRED: Final = "Is required"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it was sent, for the app that is asked for. Each wrong parameter is noted, and read as absent.

    `operates`: the caller may read all apps.
    """

    parameters: Parameters
    app: str
    operates: bool = False
    wrong: list[Wrong] = field(default_factory=list)

    @property
    def of_all_apps(self) -> bool:
        """Whether no app is named, and the caller may read all."""
        return self.operates and "app" not in self.parameters

    def read(self, reading: Callable[[], T], otherwise: T) -> T:
        """What a function reads. If it raises BadQuery, that is noted."""
        try:
            return reading()
        except BadQuery as error:
            self.wrong.extend((one.field, one.description) for one in error.violations)
            return otherwise

    def refuse(self, name: str, why: str) -> None:
        """Notes that a parameter is wrong."""
        self.wrong.append((name, why))

    def one_of(self, name: str, allowed: Iterable[T], default: T | None = None) -> T | None:
        """One of some words; None if it is another, or absent without a default."""
        text, words = self.parameters.get(name), tuple(allowed)
        found = default if text is None else next((one for one in words if one == text), None)
        if found is None:
            self.refuse(name, f"Must be {_listed([str(one) for one in words])}")
        return found

    def zone(self) -> tzinfo:
        """The zone that `tz` names; UTC without it."""
        utc: tzinfo = UTC
        return self.read(lambda: zone_param(self.parameters), utc)

    def range(self, zone: tzinfo, max_days: int, *, required: bool) -> tuple[int | None, int | None]:
        """The times `from` and `to`."""
        start = self._time("from", zone, required=required)
        end = self._time("to", zone, required=required)
        if start is not None and end is not None:
            self.read(lambda: checked_range(start, end, max_days), None)
        return start, end

    def _time(self, name: str, zone: tzinfo, *, required: bool) -> int | None:
        if required and name not in self.parameters:
            self.refuse(name, REQUIRED)
        return self.read(lambda: millis_param(self.parameters, name, zone), None)

    def limit(self, default: int, most: int) -> int:
        """The number of rows of a page."""
        return self.read(lambda: limit_param(self.parameters, default, most), default)

    def place(self, query: Sequence[str | int | None], shape: Sequence[type]) -> tuple[Any, ...] | None:
        """The place after which the page begins. A token is compared only with a query that is valid otherwise."""
        if self.wrong:
            return None
        return self.read(lambda: place_param(self.parameters, query, shape), None)

    def require_valid(self) -> None:
        """Raises BadQuery if anything was noted."""
        if self.wrong:
            raise BadQuery(*self.wrong[:MAX_VIOLATIONS])


def asked_of(query_string: bytes, known: Collection[str], own_app: str, *, operates: bool = False) -> Asked:
    """The query. Without `app` it is for the token's own app. Raises BadQuery if it cannot be read at all."""
    pairs, wrong = readable_pairs(query_string, MAX_PARAMETERS)
    names = [name for name, _ in pairs]
    wrong += [(name, "There is no such parameter") for name in dict.fromkeys(names) if name not in known]
    wrong += [(name, "Must not be repeated") for name in known if names.count(name) > 1]
    parameters = {name: value for name, value in pairs if value and name in known}
    app = parameters.get("app", own_app)
    if not _is_app(app) and app != own_app:
        wrong.append(("app", WRONG_APP))
    return Asked(parameters, app, operates, wrong)


def millis_param(parameters: Parameters, name: str, zone: tzinfo = UTC) -> int | None:
    """A time in milliseconds since 1970 UTC; None if absent. A date is its start in the zone. Raises BadQuery."""
    text = parameters.get(name)
    if text is None:
        return None
    millis = int(text) if _is_millis(text) else _date_millis(text, zone) if _is_date(text) else _rfc3339_millis(text)
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


def _date_millis(text: str, zone: tzinfo) -> int | None:
    try:
        return start_of_day(date.fromisoformat(text), zone)
    except (ValueError, OverflowError):  # month 13, the year 0, or the year 1 east of Greenwich
        return None


def zone_param(parameters: Parameters) -> tzinfo:
    """The zone that `tz` names. Raises BadQuery."""
    name = parameters.get("tz", "UTC")
    zone = zone_of(name)
    if zone is None:
        similar = similar_zone(name)
        raise BadQuery(("tz", f"{WRONG_ZONE}. Did you mean {similar}?" if similar else WRONG_ZONE))
    return zone


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


def _listed(words: Sequence[str]) -> str:
    """`minute, hour or day`."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
