"""When an item happened, of any form that clients send (docs/rules.md, A6).

The grammar is written out here, since what Python's own datetime.fromisoformat reads differs from version to version.
All arithmetic is on integers: no form overflows, and what lies past the years that can be stored is refused by name.
"""

import re
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Final

from schemas.wire.values import BadValue

MAX_CHARACTERS: Final = 64
"""Far more than any form needs. A longer text isn't looked at."""

MAX_AT_MICROS: Final = 253_402_300_799_999_000
"""9999-12-31T23:59:59.999Z: the last moment that both a datetime and MongoDB's milliseconds can say."""

# Epochs by their magnitude: at most so many digits are whole seconds, milliseconds, microseconds; and how many digits
# of a fraction make them microseconds. Seconds reach to the year 5138.
_UNITS: Final = ((11, 6), (14, 3), (17, 0))

# YYYYMMDD; with hours and minutes, seconds, milliseconds behind it. As epochs these lie in 1970 and 1976, or 600 years
# away. Ten and sixteen digits aren't here: epochs of seconds and microseconds begin with 19 and 20 from 2030 on.
_AMBIGUOUS_DIGITS: Final = frozenset({8, 12, 14, 17})

_BEYOND_INT64: Final = 10**19

_is_millis = re.compile(r"[1-9][0-9]{12}\Z").match
_is_epoch = re.compile(r"([0-9]+)(?:\.([0-9]+))?\Z").match
_is_date = re.compile(r"/Date\(([0-9]{1,14})(?:[+-][0-9]{4})?\)/\Z").match
# RFC 3339, and of ISO 8601 what datetime.fromisoformat of Python 3.11 takes too.
_is_iso = re.compile(
    r"""(?P<year>[0-9]{4})(?P<dash>-?)
    (?: (?P<month>[0-9]{2})(?P=dash)(?P<day>[0-9]{2}) | W(?P<week>[0-9]{2})(?:(?P=dash)(?P<weekday>[0-9]))? )
    (?: [Tt\x20](?P<hour>[0-9]{2})
        (?: (?P<colon>:?)(?P<minute>[0-9]{2})
            (?: (?P=colon)(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))? )? )?
        (?: [Zz] | (?P<sign>[+-])(?P<off_hour>[0-9]{2})
            (?: (?P<off_colon>:?)(?P<off_minute>[0-9]{2}) (?: (?P=off_colon)(?P<off_second>[0-9]{2}) )? )? )?
    )?\Z""",
    re.VERBOSE,
).match

_NUMBERS: Final = frozenset(
    {"year", "month", "day", "week", "weekday", "hour", "minute", "second", "off_hour", "off_minute", "off_second"}
)
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()
_DAY_MICROS: Final = 86_400_000_000
_LEAP: Final = 60


def timestamp_micros(sent: object) -> int:
    """Microseconds since 1970 UTC. Raises BadValue."""
    if isinstance(sent, str) and _is_millis(sent):  # most are
        return int(sent) * 1000
    if isinstance(sent, bool) or not isinstance(sent, str | int | float):
        raise _bad("must be a string or a number")
    if isinstance(sent, str) and len(sent) > MAX_CHARACTERS:
        raise _bad(f"is longer than {MAX_CHARACTERS} characters")
    text = sent.strip() if isinstance(sent, str) else _written_out(sent)
    found = _is_epoch(text)
    micros = _epoch(found[1], found[2] or "") if found else _written(text)
    if micros <= 0:
        raise _bad("must lie after 1970")
    if micros > MAX_AT_MICROS:
        raise _bad("must not lie past the year 9999")
    return micros


def _written_out(sent: float) -> str:
    """A number's digits. An integer beyond int64 stays beyond it: it may have more digits than repr() writes."""
    if isinstance(sent, int):
        sent = min(max(sent, -_BEYOND_INT64), _BEYOND_INT64)
    return format(Decimal(repr(sent)), "f")


def _epoch(whole: str, fraction: str) -> int:
    """Raises BadValue where it reads as a date as well: nobody means a time in 1970, or one 600 years away."""
    if len(whole) in _AMBIGUOUS_DIGITS and whole.startswith(("19", "20")):
        raise _bad("reads as a date written in digits alone: send an epoch (s, ms or us) or ISO 8601")
    whole = whole.lstrip("0")
    for digits, places in _UNITS:
        if len(whole) <= digits:
            return int(whole + fraction[:places].ljust(places, "0") or "0")
    raise _bad("is too large for microseconds since 1970")


def _written(text: str) -> int:
    """`/Date(ms)/`, or ISO 8601; without an offset it is UTC."""
    if found := _is_date(text):
        return int(found[1]) * 1000
    try:
        return _iso(text)
    except ValueError:
        raise _bad("must be an epoch (s, ms or us), ISO 8601, or /Date(ms)/") from None


def _iso(text: str) -> int:
    """Raises ValueError."""
    found = _is_iso(text)
    if not found:
        raise ValueError(text)
    number = {name: int(value) for name, value in found.groupdict("0").items() if name in _NUMBERS}
    micros = int((found["fraction"] or "")[:6].ljust(6, "0"))
    day_micros = _day_micros(number["hour"], number["minute"], number["second"], micros)
    offset_micros = _micros(time(number["off_hour"], number["off_minute"], number["off_second"]))
    days = _date(number).toordinal() - _FIRST_DAY
    return days * _DAY_MICROS + day_micros - (-offset_micros if found["sign"] == "-" else offset_micros)


def _date(number: Mapping[str, int]) -> date:
    if number["week"]:
        return date.fromisocalendar(number["year"], number["week"], number["weekday"] or 1)
    return date(number["year"], number["month"], number["day"])


def _day_micros(hour: int, minute: int, second: int, micros: int) -> int:
    """24:00 is the midnight that ends the day; a leap second the last moment of its minute (RFC 3339, section 5.6)."""
    if (hour, minute, second, micros) == (24, 0, 0, 0):
        return _DAY_MICROS
    if second == _LEAP:
        return _micros(time(hour, minute, _LEAP - 1, 999_999))
    return _micros(time(hour, minute, second, micros))


def _micros(clock: time) -> int:
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond


def _bad(description: str) -> BadValue:
    return BadValue("Timestamp", description)
