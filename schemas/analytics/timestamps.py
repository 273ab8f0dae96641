"""Reads the time of an item in any form that clients send (docs/rules.md, A6).

The grammar is written out here, because datetime.fromisoformat reads different forms in different versions of Python.
All arithmetic is on integers, so no form overflows. A time that can't be stored is refused.
"""

import re
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Final

from schemas.wire.values import BadValue

MAX_CHARACTERS: Final = 64
"""Far more than any form needs. A longer text is refused unread."""

MAX_AT_MICROS: Final = 253_402_300_799_999_000
"""9999-12-31T23:59:59.999Z: the last millisecond that both a datetime and MongoDB can store."""

# The number of digits tells the unit of an epoch: up to 11 are seconds (until the year 5138), up to 14 milliseconds, up
# to 17 microseconds. The second number: how many digits of a fraction complete it to microseconds.
_UNITS: Final = ((11, 6), (14, 3), (17, 0))

# YYYYMMDD, and the same followed by hhmm, hhmmss or hhmmssSSS. As epochs these lie in 1970, in 1976 or 600 years ahead.
# 10 and 16 digits are left out, because epochs in seconds and microseconds begin with 19 or 20 from 2030 on.
_AMBIGUOUS_DIGITS: Final = frozenset({8, 12, 14, 17})

_is_epoch = re.compile(r"([0-9]+)(?:\.([0-9]+))?\Z").match
_is_date = re.compile(r"/Date\(([0-9]{1,14})(?:[+-][0-9]{4})?\)/\Z").match
# RFC 3339, and those forms of ISO 8601 that datetime.fromisoformat of Python 3.11 reads.
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
    if isinstance(sent, bool) or not isinstance(sent, str | int | float):
        raise _bad("must be a string or a number")
    if isinstance(sent, str) and len(sent) > MAX_CHARACTERS:
        raise _bad(f"is longer than {MAX_CHARACTERS} characters")
    text = sent.strip() if isinstance(sent, str) else format(Decimal(repr(sent)), "f")
    found = _is_epoch(text)
    micros = _epoch(found[1], found[2] or "") if found else _written(text)
    if micros <= 0:
        raise _bad("must lie after 1970")
    if micros > MAX_AT_MICROS:
        raise _bad("must not lie past the year 9999")
    return micros


def _epoch(whole: str, fraction: str) -> int:
    """Raises BadValue for a number that could also be a date: no client means a time in 1970 or 600 years ahead."""
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
    """24:00 is the midnight that ends the day. A leap second is the last microsecond of its minute (RFC 3339, 5.6)."""
    if (hour, minute, second, micros) == (24, 0, 0, 0):
        return _DAY_MICROS
    if second == _LEAP:
        return _micros(time(hour, minute, _LEAP - 1, 999_999))
    return _micros(time(hour, minute, second, micros))


def _micros(clock: time) -> int:
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond


def _bad(description: str) -> BadValue:
    return BadValue("Timestamp", description)
