"""Reading JSON strictly, with the places of the outermost values."""

import json
import sys
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.wire import strict_json
from schemas.wire.depth import MAX_VALUES
from schemas.wire.int64 import INT64_MAX, INT64_MIN
from schemas.wire.strict_json import MAX_MEMBERS, BadJson, TooManyValues, read_members, read_value, text_of

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(2 * INT64_MIN, 2 * INT64_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('aé😀"\\\n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.sampled_from([None, 1, "\t"]))
def test_members_are_what_the_library_reads_and_stand_where_they_say(
    value: dict[str, object], indent: str | None
) -> None:
    """Each value's text alone reads as that value."""
    text = json.dumps(value, indent=indent)
    members = read_members(f" {text}\n")
    assert value == {member.key: member.value for member in members}
    assert [member.value for member in members] == [
        json.loads(f" {text}\n"[member.start : member.end]) for member in members
    ]
    assert value == read_value(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'{' is expected: line 1 column 1"),
        ("[]", "'{' is expected: line 1 column 1"),
        ("{\n  a: 1}", "a key in double quotes is expected: line 2 column 3"),
        ('{"a" 1}', "':' is expected: line 1 column 6"),
        ('{"a": }', "Expecting value: line 1 column 7"),
        ('{"a": 1', "'}' is expected: line 1 column 8"),
        ('{"a": 1,}', "a key in double quotes is expected: line 1 column 9"),
        ('{"a": 1} x', "nothing more is expected: line 1 column 10"),
        ("{} x", "nothing more is expected: line 1 column 4"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": -Infinity}', "-Infinity is not a JSON number"),
        ('{"a": "\\ud800"}', "a lone surrogate is not a character"),
        ('{"\\udfff": 1}', "a lone surrogate is not a character"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper than 64"),
        ('{"a": "\n"}', "Invalid control character at: line 1 column 8"),
    ],
)
def test_a12_what_is_no_json_is_told_with_line_and_column(text: str, said: str) -> None:
    """The first thing wrong."""
    with pytest.raises(BadJson) as error:
        read_members(text)
    assert said == str(error.value)


@pytest.mark.parametrize("sign", ["", "-"])
def test_an_integer_of_thousands_of_digits_is_beyond_int64_as_any_other(sign: str) -> None:
    """How many digits Python converts is a setting of the process; the verdict is not."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        (member,) = read_members(f'{{"a": {sign}{"9" * 5000}}}')
    finally:
        sys.set_int_max_str_digits(before)
    assert not INT64_MIN <= member.value <= INT64_MAX


@given(st.integers(-(10**25), 10**25))
def test_an_integer_is_itself_or_stays_beyond_int64(number: int) -> None:
    """With its sign."""
    found = read_value(f"[{number}]")
    assert isinstance(found, list)
    assert [number] == found or (not INT64_MIN <= found[0] <= INT64_MAX and (found[0] < 0) == (number < 0))


def test_b9_members_of_the_outermost_object_are_bounded() -> None:
    """A hundred pass. More are not read."""
    assert MAX_MEMBERS == len(read_members("{" + ",".join(['"Token":1'] * MAX_MEMBERS) + "}"))
    with pytest.raises(BadJson, match="more than 100 names"):
        read_members("{" + ",".join(['"Token":1'] * (MAX_MEMBERS + 1)) + ", and no JSON")


def test_b9_values_are_bounded() -> None:
    """A million pass, in strings as many as there is room for."""
    assert MAX_VALUES - 1 == len(cast("list[int]", read_value("[" + ",".join("1" * (MAX_VALUES - 1)) + "]")))
    with pytest.raises(TooManyValues, match="more than 500000 values"):
        read_value("[" + ",".join("1" * MAX_VALUES) + "]")
    assert "," * (MAX_VALUES + 1) == read_value('"' + "," * (MAX_VALUES + 1) + '"')


def test_a_pair_of_surrogates_is_a_character() -> None:
    """And a key given twice is there twice."""
    assert ["😀", 2] == [member.value for member in read_members('{"a": "\\ud83d\\ude00", "a": 2}')]


@pytest.mark.parametrize(("body", "said"), [(b"\xff", "not UTF-8: byte 0"), (b"\xef\xbb\xbf{}", "byte order mark")])
def test_b2_bytes_that_are_no_text_are_refused(body: bytes, said: str) -> None:
    """Invalid UTF-8 and a BOM."""
    with pytest.raises(BadJson, match=said):
        text_of(body)


@given(
    values=st.lists(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))),
    blank=st.sampled_from(["", " ", "\n\t"]),
    cut=st.integers(0, 5),
    extra=st.sampled_from(["", ",", "]", "[", "1", '"']),
)
def test_an_array_read_in_parts_is_the_array_read_whole(values: list[object], blank: str, cut: int, extra: str) -> None:
    """Or as bad, wherever it is cut or has an extra character."""
    text = blank + json.dumps(values).replace(", ", f"{blank},{blank}") + blank
    text = text[: len(text) - cut] + extra
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(strict_json, "_LARGE_CHARACTERS", 0)
        in_parts = read_or_not(text)
    assert read_or_not(text) == in_parts


def read_or_not(text: str) -> object:
    try:
        return read_value(text)
    except BadJson:
        return BadJson


def test_no_call_reads_more_of_a_large_text_than_one_element(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold the interpreter, and so the event loop, for as long as the whole takes."""
    read: list[int] = []
    value = strict_json._value

    def counted(decoder: json.JSONDecoder, text: str, at: int) -> tuple[object, int]:
        found, end = value(decoder, text, at)
        read.append(end - at)
        return found, end

    monkeypatch.setattr(strict_json, "_value", counted)
    events = ",".join(['{"Event":"A","Data":{"n":[1,2,3]}}'] * 10_000)
    assert 2 == len(read_members(f'{{"Token":"","eventData":[{events}]}}'))
    assert 100 > max(read)
