"""The time zones that a query may name: the IANA zones, by the names of the package tzdata. Pure.

The list is closed, so a name never becomes the path of any other file.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from schemas.documents import millis_of, utc
from schemas.records.envelope import rfc3339
from schemas.windows import MINUTE_MILLIS

# Not a place: what a machine has before its zone is set.
_NO_ZONES = frozenset(("Factory",))
# Written as `Z`.
_UTC_NAMES = frozenset(("UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"))

# The month or week of such a date, and of the one after it, lies within datetime's years. 1969 is before every query.
FIRST_DATE = date(1969, 12, 1)
LAST_DATE = date(9999, 11, 1)


@cache
def zone_names() -> frozenset[str]:
    """All names, those of earlier versions of the database too (`Asia/Calcutta`): browsers still send them."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split()) - _NO_ZONES


def zone_of(name: str) -> tzinfo | None:
    """The zone of a name; None if there is none."""
    if name in _UTC_NAMES:
        return UTC
    return _read(name) if name in zone_names() else None


def similar_zone(name: str) -> str | None:
    """A zone that may be meant: `berlin` or `europe/berlin` for `Europe/Berlin`."""
    wanted = name.lower().replace(" ", "_")
    return next((one for one in sorted(zone_names()) if wanted in (one.lower(), one.lower().rpartition("/")[2])), None)


@cache
def _read(name: str) -> ZoneInfo:
    """Not the machine's zone of this name, so that all consoles have the same rules."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def date_in(zone: tzinfo, millis: int) -> date:
    """The date that the zone's calendars show at a time."""
    try:
        return max(FIRST_DATE, min(utc(millis).astimezone(zone).date(), LAST_DATE))
    except OverflowError:  # the last hours of the year 9999, east of Greenwich
        return LAST_DATE


def start_of_day(day: date, zone: tzinfo) -> int:
    """The first minute whose date in the zone is `day` or later, in milliseconds since 1970.

    Midnight may be skipped (Sao Paulo), and so may a whole day (Apia, 2011-12-30), which then starts where the next
    one does. If midnight comes twice (Havana), the day starts at the first one.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    # In a gap, the offset after it makes the earlier time of the two.
    by_old_offset, by_new_offset = millis_of(midnight), millis_of(midnight.replace(fold=1))
    last = -(-by_old_offset // MINUTE_MILLIS)  # rounded up: some offsets before 1972 have seconds
    first = min(last, -(-by_new_offset // MINUTE_MILLIS))
    while first < last:
        middle = (first + last) // 2
        if date_in(zone, middle * MINUTE_MILLIS) >= day:
            last = middle
        else:
            first = middle + 1
    return last * MINUTE_MILLIS


def shown_in(zone: tzinfo, millis: int) -> str:
    """RFC 3339 with the zone's offset: `2026-11-23T00:00:00.000+01:00`; `Z` in UTC."""
    if zone is UTC:
        return rfc3339(millis)
    local = utc(millis).astimezone(zone)
    offset = local.utcoffset() or timedelta()
    # RFC 3339 has no seconds in an offset, which a zone had until 1972.
    return rfc3339(millis) if offset % timedelta(minutes=1) else local.isoformat(timespec="milliseconds")
