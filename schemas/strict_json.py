"""JSON (RFC 8259) read strictly, the outermost object member by member with where each value stands.

Not pydantic's reader, as for the games API: that one tells no places, and a token has to be blanked in its place with
all else kept byte for byte (api.md B6). Of a key given twice the last counts, as there (B2).
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn


class BadJson(ValueError):
    """The text is not JSON; the message says what is wrong, with line and column."""


class Member(NamedTuple):
    """One member of the outermost object; its value is `text[start:end]`."""

    key: str
    value: Any
    start: int
    end: int


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is no JSON number")


_decoder = json.JSONDecoder(parse_constant=_no_constant)
_skip_blanks = re.compile(r"[ \t\n\r]*").match
# Half of a pair; whether the other half stands beside it, only reading tells.
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
    """The value that `text` is. Raises BadJson."""
    value, end = _value(text, _after_blanks(text, 0))
    _expect_end(text, end)
    _refuse_surrogates(text, value)
    return value


def read_members(text: str) -> list[Member]:
    """The members of the object that `text` is, in order, a key given twice both times. Raises BadJson."""
    members = list(_members(text))
    _refuse_surrogates(text, [(member.key, member.value) for member in members])
    return members


def _members(text: str) -> Iterator[Member]:
    at = _after_blanks(text, _expect(text, _after_blanks(text, 0), "{"))
    if text[at : at + 1] == "}":
        _expect_end(text, at + 1)
        return
    while True:
        if text[at : at + 1] != '"':
            raise _error("a key in double quotes is expected", text, at)
        key, at = _value(text, at)
        start = _after_blanks(text, _expect(text, _after_blanks(text, at), ":"))
        value, end = _value(text, start)
        yield Member(key, value, start, end)
        at = _after_blanks(text, end)
        if text[at : at + 1] != ",":
            break
        at = _after_blanks(text, at + 1)
    _expect_end(text, _expect(text, at, "}"))


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _decoder.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _error(error.msg, text, error.pos) from None
    except RecursionError:
        raise BadJson("nested too deeply") from None
    except BadJson:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise BadJson(str(error)) from None


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
    """Lone surrogates are no text, and nothing that keeps text takes them (B2)."""
    if _has_surrogate(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BadJson("a lone surrogate is no character") from None
