"""What MongoDB keeps, and its size there: measured as its own driver encodes it."""

from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.wire.int64 import INT64_MAX, INT64_MIN
from schemas.wire.values import MAX_DATA_DEPTH, BadValue, element_bytes, storable_bytes

NAMES = st.sampled_from(["$where", "a.b", "", "_id", "$ref", "$id", "é"]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INTEGERS = st.integers(INT64_MIN, INT64_MAX) | st.sampled_from([2**31 - 1, 2**31, -(2**31), -(2**31) - 1])
PLAIN = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(PLAIN | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=30)


def bson_bytes(value: object, name: str = "v") -> int:
    """Of the element alone."""
    return len(bson.encode({name: value})) - len(bson.encode({}))


@given(value=VALUES, name=NAMES)
def test_b10_the_size_of_any_value_is_what_the_driver_writes(value: object, name: str) -> None:
    """To the byte."""
    assert bson_bytes(value, name) == element_bytes(name, storable_bytes(value))


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 99, 100, 101, 1000, 1001, 12_345])
def test_b10_indexes_of_an_array_count_with_their_digits(count: int) -> None:
    """They are names."""
    assert bson_bytes([None] * count) == element_bytes("v", storable_bytes([None] * count))


@pytest.mark.parametrize(
    ("value", "field", "description"),
    [
        ({"a": [0, {"b": 2**63}]}, "Data.a[1].b", "is beyond int64"),
        ([{}, {"a": -(2**63) - 1}], "Data[1].a", "is beyond int64"),
        ({"x\0y": 1}, "Data.x\\0y", "has a NUL in its name"),
        ({"": {"a": float("inf")}}, "Data..a", "is beyond double"),
        ({"a": float("nan")}, "Data.a", "is beyond double"),
    ],
)
def test_a9_what_can_not_be_kept_is_named_by_its_path(value: object, field: str, description: str) -> None:
    """From the outermost name on."""
    with pytest.raises(BadValue) as error:
        storable_bytes(value, "Data")
    assert (field, description) == (error.value.field, error.value.description)


def test_a9_a_path_without_a_field_begins_with_its_name() -> None:
    """As it does among the unknown names of an item."""
    with pytest.raises(BadValue, match=r"^a\[0\]: is beyond int64$"):
        storable_bytes({"a": [2**63]})


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_a9_depth_is_bounded(wrap: Any) -> None:  # noqa: ANN401 a function of any value
    """32 levels pass, more doesn't."""
    value: object = 1
    for _ in range(MAX_DATA_DEPTH):
        value = wrap(value)
    assert bson_bytes(value) == element_bytes("v", storable_bytes(value))
    with pytest.raises(BadValue, match="nested deeper than 32"):
        storable_bytes(wrap(value))
