"""Finds the token in a body of AddEvent without parsing the body. Pure.

Parsing takes many times the memory of the body, and is only done for a valid token. So the token of a large body is
searched first. The result decides only that: the sender is always read from the parsed body.

A JSON body's token is the last member `Token` of the outermost object, in any case and any escaping (A3); a form's is
the last field of that name. Each step is one search of a bounded part of the body, or linear in the bytes between two
matches.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final
from urllib.parse import unquote_plus

from schemas.wire.depth import net_depth
from serving.tokens.bearer import MAX_TOKEN_BYTES

# A search of the whole body would block other threads.
_WINDOW_BYTES: Final = 256 * 1024
# Characters of one escaped character: `\u0041`.
_ESCAPED: Final = 6
# A match that begins within a window is whole with this much behind it: its name, blanks, and the longest token.
_LONGEST_BYTES: Final = 64 * 1024
# Names within Data can be "token" too, and each match takes time. An honest pool has far fewer.
MAX_FOUND: Final = 50_000

_NAME: Final = "token"
# Characters outside the name's letters whose lower case is one of them: the Kelvin sign.
_ODD: Final = {"k": "\u212a"}


def _letters(escaped: str) -> bytes:
    """A pattern of the name in any case, each letter literal or `escaped`, as JSON or a form escapes it."""
    return b"".join(
        b"(?:" + b"|".join(form for one in (c, c.upper(), *_ODD.get(c, "")) for form in _forms(one, escaped)) + b")"
        for c in _NAME
    )


def _forms(character: str, escaped: str) -> tuple[bytes, bytes]:
    encoded = character.encode()
    if escaped == "json":
        return re.escape(encoded), rb"\\u(?i:%04x)" % ord(character)
    return re.escape(encoded), b"".join(b"%%(?i:%02x)" % byte for byte in encoded)


# A quotation mark after a backslash begins no name.
_json_member = re.compile(
    rb'"(?<!\\")'
    + _letters("json")
    + rb'"[ \t\r\n]*+:[ \t\r\n]*+("(?:[^"\\]|\\.){0,%d}+")' % (_ESCAPED * MAX_TOKEN_BYTES),
    re.DOTALL,
)
_form_field = re.compile(rb"(?:^|&)" + _letters("form") + rb"=([^&]*+)")


def token_in(body: bytes, *, is_json: bool) -> str | None:
    """The token, if one is found. None too if it is too long for a token."""
    found = _in_json(body) if is_json else _in_form(body)
    return found if found and len(found) <= MAX_TOKEN_BYTES else None


def _in_json(body: bytes) -> str | None:
    value, depth, end = b"", 0, 0
    for found in islice(_matches(_json_member, body), MAX_FOUND):
        depth += net_depth(body[end : found.start()])
        end = found.end()
        if depth == 1:
            value = found[1]
    try:
        return str(json.loads(value)) if value else None
    except ValueError:
        return None


def _in_form(body: bytes) -> str | None:
    value = None
    for found in _matches(_form_field, body):
        value = found[1]
    return None if value is None else unquote_plus(value.decode("latin-1"), errors="replace")


def _matches(pattern: re.Pattern[bytes], body: bytes) -> Iterator[re.Match[bytes]]:
    at = 0
    while at < len(body):
        found = pattern.search(body, at, at + _WINDOW_BYTES + _LONGEST_BYTES)
        if found and found.start() < at + _WINDOW_BYTES:
            yield found
            at = found.end()
        else:
            at += _WINDOW_BYTES
