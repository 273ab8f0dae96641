"""Nesting is counted as a parser would count it, wherever the text is cut into parts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.wire import depth
from schemas.wire.depth import MAX_DEPTH, Excess, excess_of, is_deeper, is_fuller, net_depth

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}",\\a\u00e9'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='[]{}"\\'), inner, max_size=4),
    max_leaves=30,
)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max((depth_of(one) for one in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth_of(one) for one in value), default=0)
    return 0


@given(value=JSON, part_bytes=st.integers(1, 20), ascii_only=st.booleans())
def test_depth_is_that_of_the_parsed_value(value: object, part_bytes: int, ascii_only: bool) -> None:  # noqa: FBT001
    """However the text is cut, and whatever stands in its strings."""
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(depth, "_PART_BYTES", part_bytes)
        expected = depth_of(value)
        assert is_deeper(text, expected) is False
        assert expected == 0 or is_deeper(text, expected - 1)


@given(text=st.binary(max_size=200), part_bytes=st.integers(1, 20))
def test_any_bytes_have_an_answer_that_no_cut_changes(text: bytes, part_bytes: int) -> None:
    """Also what is no JSON."""
    whole = [is_deeper(text, limit) for limit in range(-1, 5)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(depth, "_PART_BYTES", part_bytes)
        assert whole == [is_deeper(text, limit) for limit in range(-1, 5)]


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_the_bound_itself_passes(opening: bytes) -> None:
    """One more does not."""
    assert is_deeper(opening * MAX_DEPTH) is False
    assert is_deeper(opening * (MAX_DEPTH + 1)) is True


@given(text=st.binary(max_size=200) | JSON.map(lambda one: json.dumps(one).encode()))
def test_what_exceeds_both_bounds_exceeds_the_number_of_values(text: bytes) -> None:
    """And a text within both exceeds none."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(depth, "MAX_DEPTH", 3)
        patched.setattr(depth, "MAX_VALUES", 9)
        patched.setattr(is_deeper, "__defaults__", (3,))
        patched.setattr(is_fuller, "__defaults__", (9,))
        expected = Excess.VALUES if is_fuller(text) else Excess.DEPTH if is_deeper(text) else None
        assert expected is excess_of(text)


def values_in(value: object) -> int:
    """Each counted; an empty array or object as if it held one."""
    if isinstance(value, dict | list):
        inside = list(value.values()) if isinstance(value, dict) else value
        return 1 + sum(map(values_in, inside)) + (not inside)
    return 1


@given(value=JSON, part_bytes=st.integers(1, 20), ascii_only=st.booleans())
def test_values_are_counted_as_they_are_parsed(value: object, part_bytes: int, ascii_only: bool) -> None:  # noqa: FBT001
    """Commas and brackets in strings are none."""
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(depth, "_PART_BYTES", part_bytes)
        assert is_fuller(text, values_in(value)) is False
        assert is_fuller(text, values_in(value) - 1) is True


@given(before=JSON, after=JSON, part_bytes=st.integers(1, 20))
def test_net_depth_is_that_of_where_the_text_ends(before: object, after: object, part_bytes: int) -> None:
    """Brackets in strings are none, and what is closed counts no more."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(depth, "_PART_BYTES", part_bytes)
        assert 2 == net_depth(f'{{"a": {json.dumps(before)}, "b": [{json.dumps(after)}, '.encode())
        assert 0 == net_depth(json.dumps([before, after]).encode())
