"""Checks whether a body is JSON text (RFC 8259), without building its values.

A parser that builds lists and dicts makes 350,000 of them for one MiB of `[],[],...`, which takes a third of a second.
msgspec skips values instead. The caller checks the nesting first (schemas/wire/depth.py).
"""

import re
from typing import Final

import msgspec

_skip = msgspec.json.Decoder(msgspec.Raw).decode
# The message of msgspec. A test checks that it is still so.
_MALFORMED: Final = re.compile(r"JSON is malformed: (.*) \(byte ([0-9]+)\)", re.DOTALL)

_constants = re.compile(rb'("[^"\\]*+(?:\\.[^"\\]*+)*+"?)|-?(?:NaN|Infinity)', re.DOTALL).sub


def flaw_of(text: bytes) -> str:
    """Why `text` is not JSON, with line and column; "" if it is JSON. The caller has checked its nesting."""
    try:
        text.decode()  # strings are skipped unread
        _skip(text)
    except UnicodeDecodeError as error:
        return _flaw(text, "not UTF-8", error.start)
    except msgspec.DecodeError as error:
        found = _MALFORMED.fullmatch(str(error))
        return _flaw(text, found[1], int(found[2])) if found else _flaw(text, "it ends early", len(text))
    return ""


def _flaw(text: bytes, what: str, at: int) -> str:
    line = text.count(b"\n", 0, at) + 1
    column = at - text.rfind(b"\n", 0, at)
    return f"Invalid JSON: {what} at line {line} column {column}"


def without_constants(text: bytes) -> bytes:
    """`text` with each NaN and Infinity replaced by a number that no field accepts, to find these fields."""
    if b"NaN" not in text and b"Infinity" not in text:
        return text
    return _constants(lambda found: found[1] or b"1e400", text)
