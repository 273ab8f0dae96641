"""G3: spellings of an int64, and similar texts that are none."""

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.wire.int64 import INT64_MAX, INT64_MIN, Int64

int64 = TypeAdapter(Int64)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('"7"', 7),
        ("7", 7),
        ('"0"', 0),
        ('"-0"', 0),
        ('"-12"', -12),
        (f'"{INT64_MAX}"', INT64_MAX),
        (str(INT64_MAX), INT64_MAX),
        (f'"{INT64_MIN}"', INT64_MIN),
        (str(INT64_MIN), INT64_MIN),
    ],
)
def test_g3_digits_and_integers_in_range_are_numbers(text: str, number: int) -> None:
    """G3: 7 and "7" are the same number."""
    assert number == int64.validate_json(text)


@pytest.mark.parametrize(
    "text",
    [
        *('"007"', '"+7"', '" 7"', '"7 "', '"1_000"', '"7.0"', '""', '"7\\n"', '"٣"'),
        *("7.0", "7e0", "1e3", "true", "null", "[]", "{}", "NaN", "Infinity", "1e400"),
        *(f'"{INT64_MAX + 1}"', str(INT64_MAX + 1), str(INT64_MIN - 1)),
    ],
)
def test_g3_everything_else_is_refused(text: str) -> None:
    """G3: no fraction, exponent, plus sign, padding, underscore, bool or null, and no other digits."""
    with pytest.raises(ValidationError):
        int64.validate_json(text)


def test_g3_replies_always_hold_strings() -> None:
    """G3: a JavaScript client can't hold 2^63 in a number."""
    assert b'"9223372036854775807"' == int64.dump_json(INT64_MAX)


def test_g3_the_schema_says_so() -> None:
    """The exported schema shows the pattern."""
    assert int64.json_schema(mode="serialization")["format"] == "int64"
    assert len(int64.json_schema(mode="validation")["anyOf"]) == 2
