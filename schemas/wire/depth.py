"""How deeply a JSON text is nested, and how much it holds, counted before it is parsed.

Python's JSON parsers recurse, and how deep they get depends on the stack they are called from: the same body passed in
one process and raised RecursionError in the other. With this bound checked first, the verdict depends on the bytes
alone. A parsed value takes up to forty times the bytes of its text, so values are counted as well. The text is looked
at in parts, so that other threads run in between, and its memory stays small.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

MAX_DEPTH: Final = 64
"""Arrays and objects inside each other, of any JSON text that arrives (B9)."""

MAX_VALUES: Final = 500_000
"""Values in one JSON text: some 50 MB once parsed. It is fifty for each of 10,000 events in 8 MiB."""

_STEPS: Final = [1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)]
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if not _STEPS[byte])
_OPENINGS: Final = b"[{"

_PART_BYTES: Final = 64 * 1024


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
    """Whether `text` holds more values than `limit`: each but the outermost is its container's first or has a comma.

    Linear. An empty array or object counts as if it held one.
    """
    if _count(text, b",[{") < limit:  # most texts; strings and all
        return False
    return 1 + sum(_count(part, b",[{") for part in _without_strings(text)) > limit


def _count(text: bytes, signs: bytes) -> int:
    return sum(text.count(sign) for sign in signs)


def _without_strings(text: bytes) -> Iterator[bytes]:
    """What stands between the strings, part by part: what looks like a bracket in one is none.

    Without its escapes, a string is what stands between two quotation marks. Outside of strings a backslash is no
    JSON, and nothing behind it is parsed.
    """
    inside = False
    for part in _parts(text):
        pieces = part.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')
        yield b"".join(pieces[inside::2])
        inside ^= len(pieces) % 2 == 0


def _parts(text: bytes) -> Iterator[bytes]:
    """The text in parts, never cut within an escape: behind an odd number of backslashes one byte more is taken."""
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
