"""Reading JSON strictly, with the places of the outermost values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.strict_json import BadJson, read_members, read_value, text_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('aé😀"\\\n'),
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
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{"a": -Infinity}', "-Infinity is no JSON number"),
        ('{"a": "\\ud800"}', "a lone surrogate is no character"),
        ('{"\\udfff": 1}', "a lone surrogate is no character"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"a": "\n"}', "Invalid control character at: line 1 column 8"),
    ],
)
def test_a12_what_is_no_json_is_told_with_line_and_column(text: str, said: str) -> None:
    """The first thing wrong."""
    with pytest.raises(BadJson) as error:
        read_members(text)
    assert said == str(error.value)


def test_an_integer_of_thousands_of_digits_is_refused() -> None:
    """Not an error of ours."""
    with pytest.raises(BadJson, match="4300"):
        read_members('{"a": ' + "9" * 5000 + "}")


def test_a_pair_of_surrogates_is_a_character() -> None:
    """And a key given twice is there twice."""
    assert ["😀", 2] == [member.value for member in read_members('{"a": "\\ud83d\\ude00", "a": 2}')]


@pytest.mark.parametrize(("body", "said"), [(b"\xff", "not UTF-8: byte 0"), (b"\xef\xbb\xbf{}", "byte order mark")])
def test_b2_bytes_that_are_no_text_are_refused(body: bytes, said: str) -> None:
    """Invalid UTF-8 and a BOM."""
    with pytest.raises(BadJson, match=said):
        text_of(body)
