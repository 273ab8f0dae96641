"""Which JSON values MongoDB stores unchanged, and their size in BSON (docs/rules.md, A9 and B10).

One pass checks and measures. It takes linear time: the path to a bad value is built only when one is found.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from schemas.wire.int64 import INT64_MAX, INT64_MIN

MAX_DATA_DEPTH: Final = 32
"""Nesting of arrays and objects in data that is stored. MongoDB allows 200 levels, its tools fewer."""

_INT32: Final = 1 << 31
# BSON (bsonspec.org): a document is its length, its elements and a NUL; a string its length, its text and a NUL.
_DOCUMENT_BYTES: Final = 5
_STRING_BYTES: Final = 5


class BadValue(ValueError):
    """A value of an item is not valid. `field` is its path in the item, "" for the item itself."""

    def __init__(self, field: str, description: str) -> None:
        self.field = field
        self.description = description
        super().__init__(f"{field}: {description}" if field else description)


class TooLarge(ValueError):
    """The request is too large (413). The message names the limit."""


class _NotStorable(Exception):
    """`path` has the innermost part first; each caller appends its part."""

    def __init__(self, description: str, *path: str) -> None:
        self.description = description
        self.path = list(path)
        super().__init__(description)


def storable_bytes(value: object, field: str = "") -> int:
    """Bytes of BSON that `value` takes, without its name. Raises BadValue, with its path below `field`."""
    try:
        return _value_bytes(value, MAX_DATA_DEPTH)
    except _NotStorable as error:
        path = field + "".join(reversed(error.path))
        raise BadValue(path if field else path.removeprefix("."), error.description) from None


def element_bytes(name: str, value_bytes: int) -> int:
    """Bytes of a document's element: its type, its name, a NUL, and its value."""
    return 2 + utf8_bytes(name) + value_bytes


def string_bytes(text: str) -> int:
    """Bytes of a string as a value."""
    return _STRING_BYTES + utf8_bytes(text)


def utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _value_bytes(value: object, levels: int) -> int:
    if isinstance(value, str):
        return string_bytes(value)
    if isinstance(value, dict | list):
        if not levels:
            raise _NotStorable(f"is nested deeper than {MAX_DATA_DEPTH}")
        return _object_bytes(value, levels - 1) if isinstance(value, dict) else _array_bytes(value, levels - 1)
    return _plain_bytes(value)


def _plain_bytes(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, bool):
        return 1
    if isinstance(value, int):
        if not INT64_MIN <= value <= INT64_MAX:
            raise _NotStorable("is beyond int64")
        return 4 if -_INT32 <= value < _INT32 else 8
    if isinstance(value, float) and math.isfinite(value):
        return 8
    raise _NotStorable("is beyond double")


def _array_bytes(values: Sequence[object], levels: int) -> int:
    """An array is a document whose names are its indexes."""
    size = _DOCUMENT_BYTES + 2 * len(values) + _digits_below(len(values))
    at = 0
    try:
        for at, inner in enumerate(values):  # noqa: B007 named in the error
            size += _value_bytes(inner, levels)
    except _NotStorable as error:
        error.path.append(f"[{at}]")
        raise
    return size


def _object_bytes(members: Mapping[str, object], levels: int) -> int:
    size, key = _DOCUMENT_BYTES + 2 * len(members), ""
    try:
        for key, inner in members.items():
            size += _name_bytes(key) + _value_bytes(inner, levels)
    except _NotStorable as error:
        error.path.append("." + key.replace("\0", "\\0"))
        raise
    return size


def _name_bytes(name: str) -> int:
    if "\0" in name:
        raise _NotStorable("has a NUL in its name")
    return utf8_bytes(name)


def _digits_below(count: int) -> int:
    """Digits of the numbers 0 to count - 1 together."""
    digits, power = count, 10
    while power < count:
        digits += count - power
        power *= 10
    return digits
