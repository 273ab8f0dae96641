"""How deeply a JSON text is nested, counted before it is parsed.

Python's JSON parsers recurse, and how deep they get depends on the stack they are called from: the same body passed in
one process and raised RecursionError in the other. With this bound checked first, the verdict depends on the bytes
alone. The text is looked at in parts, so that other threads run in between, and its memory stays small.
"""

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

MAX_DEPTH: Final = 64
"""Arrays and objects inside each other, of any JSON text that arrives (B9)."""

# Strings are left out: what looks like a bracket in one is none. A text may end inside a string.
_without_strings = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL).sub
_STEPS: Final = [1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)]
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if not _STEPS[byte])

_PART_BYTES: Final = 64 * 1024


def is_deeper(text: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether arrays and objects in `text` are nested deeper than `limit`. Linear; `text` need not be JSON."""
    depth = 0
    for part in _parts(text):
        brackets = _without_strings(b"", part).translate(None, _NOT_BRACKETS)
        depths = list(accumulate(map(_STEPS.__getitem__, brackets), initial=depth))
        if max(depths) > limit:
            return True
        depth = depths[-1]
    return False


def _parts(text: bytes) -> Iterator[bytes]:
    """The text in parts; one that begins inside a string has a quotation mark put in front."""
    start, inside = 0, False
    while start < len(text):
        end = _end_of_part(text, start)
        part = b'"' * inside + text[start:end]
        yield part
        start, inside = end, _ends_inside(part)


def _end_of_part(text: bytes, start: int) -> int:
    """Never within an escape: behind an odd number of backslashes one byte more is taken."""
    end = min(start + _PART_BYTES, len(text))
    part = text[start:end]
    return end + (len(part) - len(part.rstrip(b"\\"))) % 2


_to_open_string = re.compile(rb'(?:[^"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL).match


def _ends_inside(part: bytes) -> bool:
    found = _to_open_string(part)
    return found is not None and found.end() < len(part)


def net_depth(text: bytes) -> int:
    """How many more arrays and objects `text` opens than it closes; it begins outside of a string."""
    found = 0
    for part in _parts(text):
        brackets = _without_strings(b"", part).translate(None, _NOT_BRACKETS)
        found += brackets.count(b"[") + brackets.count(b"{") - brackets.count(b"]") - brackets.count(b"}")
    return found
