"""Strict JSON (RFC 8259): reads the outermost object member by member, with the position of each value.

The games API uses msgspec and pydantic, which do not return positions. Here a token must be blanked at its position
while every other byte stays (docs/rules.md, B6). If a key occurs twice, the last one counts, as in the games API (B2).

Depth and number of values are checked before parsing (B9), and integers beyond int64 are not converted. So a text
raises nothing but BadJson and TooManyValues, in any process, on any stack.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple, NoReturn

from schemas.wire.depth import MAX_DEPTH, MAX_VALUES, Excess, excess_of
from schemas.wire.values import TooLarge


class BadJson(ValueError):
    """The text is not JSON; the message says what is wrong, with line and column."""


class TooManyValues(TooLarge):
    """More than MAX_VALUES in one text."""


class Member(NamedTuple):
    """One member of the outermost object; its value is `text[start:end]`."""

    key: str
    value: Any
    start: int
    end: int


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not a JSON number")


MAX_MEMBERS: Final = 100
"""Members of the outermost object, repeated ones included. A request needs four. A form has the same limit."""

_INTEGER_CHARACTERS: Final = 20
"""Characters of the longest int64, with its sign."""


def _integer(text: str) -> int:
    """Cuts a long number, which stays beyond int64. Converting all its digits would take quadratic time."""
    return int(text[: _INTEGER_CHARACTERS + 2])


_LARGE_CHARACTERS: Final = 64 * 1024
"""A longer text is read in parts. A shorter one takes at most a millisecond."""

_decoder = json.JSONDecoder(parse_constant=_no_constant)
_decoder_of_long_integers = json.JSONDecoder(parse_constant=_no_constant, parse_int=_integer)
_has_long_integer = re.compile(rf"[0-9]{{{_INTEGER_CHARACTERS}}}").search
_skip_blanks = re.compile(r"[ \t\n\r]*").match
# Half of a surrogate pair. Whether the other half follows is known only after reading.
_has_surrogate = re.compile(r"\\u[dD][89a-fA-F]").search


def text_of(body: bytes) -> str:
    """`body` as text. Raises BadJson: not UTF-8, or a byte order mark."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadJson(f"not UTF-8: byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise BadJson("begins with a byte order mark")
    return text


def read_value(text: str) -> object:
    """The value that `text` is. Raises BadJson, TooManyValues."""
    value, end = _reader(text)(text, _after_blanks(text, 0))
    _expect_end(text, end)
    _refuse_surrogates(text, value)
    return value


def read_members(text: str) -> list[Member]:
    """The members of the object `text`, in order. A key that occurs twice is there twice.

    Raises BadJson, TooManyValues.
    """
    members = list(_members(text))
    _refuse_surrogates(text, [(member.key, member.value) for member in members])
    return members


def _members(text: str) -> Iterator[Member]:
    read = _reader(text)
    at = _after_blanks(text, _expect(text, _after_blanks(text, 0), "{"))
    if text[at : at + 1] == "}":
        _expect_end(text, at + 1)
        return
    for _ in range(MAX_MEMBERS):
        if text[at : at + 1] != '"':
            raise _error("a key in double quotes is expected", text, at)
        key, at = read(text, at)
        start = _after_blanks(text, _expect(text, _after_blanks(text, at), ":"))
        value, end = read(text, start)
        yield Member(key, value, start, end)
        at = _after_blanks(text, end)
        if text[at : at + 1] != ",":
            _expect_end(text, _expect(text, at, "}"))
            return
        at = _after_blanks(text, at + 1)
    raise BadJson(f"more than {MAX_MEMBERS} names")


_Read = Callable[[str, int], tuple[Any, int]]


def _reader(text: str) -> _Read:
    """What reads a value at a place of `text`. Raises BadJson, TooManyValues where the text is beyond the bounds."""
    excess = excess_of(text.encode(errors="surrogatepass"))
    if excess is Excess.VALUES:
        raise TooManyValues(f"more than {MAX_VALUES} values")
    if excess is Excess.DEPTH:
        raise BadJson(f"nested deeper than {MAX_DEPTH}")
    decoder = _decoder_of_long_integers if _has_long_integer(text) else _decoder
    return partial(_large_value if len(text) > _LARGE_CHARACTERS else _value, decoder)


def _large_value(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    """Reads an array element by element: no call blocks the interpreter for longer than one element takes."""
    if text[at : at + 1] != "[":
        return _value(decoder, text, at)
    values: list[Any] = []
    at = _after_blanks(text, at + 1)
    if text[at : at + 1] == "]":
        return values, at + 1
    while True:
        value, at = _value(decoder, text, at)
        values.append(value)
        at = _after_blanks(text, at)
        if text[at : at + 1] != ",":
            return values, _expect(text, at, "]")
        at = _after_blanks(text, at + 1)


def _value(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _error(error.msg, text, error.pos) from None


def _after_blanks(text: str, at: int) -> int:
    found = _skip_blanks(text, at)
    return found.end() if found else at


def _expect(text: str, at: int, what: str) -> int:
    if text[at : at + 1] != what:
        raise _error(f"'{what}' is expected", text, at)
    return at + 1


def _expect_end(text: str, at: int) -> None:
    at = _after_blanks(text, at)
    if at != len(text):
        raise _error("nothing more is expected", text, at)


def _error(message: str, text: str, at: int) -> BadJson:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return BadJson(f"{message}: line {line} column {column}")


def _refuse_surrogates(text: str, value: object) -> None:
    """Refuses lone surrogates: they are not text, and MongoDB cannot store them (B2)."""
    if _has_surrogate(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BadJson("a lone surrogate is not a character") from None
