"""Bounds of a JSON text that are checked before it is parsed: its nesting and its number of values.

Python's JSON parsers recurse, and their depth depends on the stack of the caller: the same body passed in one process
and raised RecursionError in another. With this check the verdict depends only on the bytes. A parsed value takes up to
forty times the bytes of its text, so values are counted too. The text is read in parts, so that other threads can run
in between and little memory is used.
"""

from collections.abc import Iterator
from enum import Enum
from itertools import accumulate
from typing import Final

MAX_DEPTH: Final = 64
"""Nesting of arrays and objects in any JSON text that arrives (B9)."""

MAX_VALUES: Final = 500_000
"""Values in one JSON text: about 50 MB when parsed. 10,000 events in 8 MiB can have fifty values each."""

_STEPS: Final = [1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)]
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if not _STEPS[byte])
_OPENINGS: Final = b"[{"

_PART_BYTES: Final = 64 * 1024


class Excess(Enum):
    """A bound that a text exceeds."""

    DEPTH = "depth"
    VALUES = "values"


def excess_of(text: bytes) -> Excess | None:
    """The bound that `text` exceeds, the number of values first."""
    openings = _count(text, _OPENINGS)
    if openings <= MAX_DEPTH and openings + text.count(b",") < MAX_VALUES:  # most texts; strings and all
        return None
    if is_fuller(text):
        return Excess.VALUES
    return Excess.DEPTH if is_deeper(text) else None


def is_deeper(text: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether arrays and objects in `text` are nested deeper than `limit`. Linear; `text` need not be JSON."""
    if _count(text, _OPENINGS) <= limit:  # most texts; strings and all
        return False
    depth = 0
    for part in _without_strings(text):
        brackets = part.translate(None, _NOT_BRACKETS)
        depths = list(accumulate(map(_STEPS.__getitem__, brackets), initial=depth))
        if max(depths) > limit:
            return True
        depth = depths[-1]
    return False


def is_fuller(text: bytes, limit: int = MAX_VALUES) -> bool:
    """Whether `text` holds more values than `limit`: one, and one for each comma and opening bracket outside strings.

    Linear. An empty array or object counts as if it held one value.
    """
    if _count(text, b",[{") < limit:  # most texts; strings and all
        return False
    return 1 + sum(_count(part, b",[{") for part in _without_strings(text)) > limit


def _count(text: bytes, signs: bytes) -> int:
    return sum(text.count(sign) for sign in signs)


def _without_strings(text: bytes) -> Iterator[bytes]:
    """The text between the strings, part by part: a bracket in a string does not count.

    Escapes are removed first, so that every quotation mark begins or ends a string. A backslash outside of strings is
    not JSON, and a parser reads nothing behind it.
    """
    inside = False
    for part in _parts(text):
        pieces = part.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')
        yield b"".join(pieces[inside::2])
        inside ^= len(pieces) % 2 == 0


def _parts(text: bytes) -> Iterator[bytes]:
    """The text in parts. None ends inside an escape: after an odd number of backslashes it has one byte more."""
    start = 0
    while start < len(text):
        end = min(start + _PART_BYTES, len(text))
        part = text[start:end]
        end += (len(part) - len(part.rstrip(b"\\"))) % 2
        yield text[start:end]
        start = end


def net_depth(text: bytes) -> int:
    """How many more arrays and objects `text` opens than it closes; it begins outside of a string."""
    found = 0
    for part in _without_strings(text):
        found += part.count(b"[") + part.count(b"{") - part.count(b"]") - part.count(b"}")
    return found
