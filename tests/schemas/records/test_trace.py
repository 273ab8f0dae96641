"""Which `traceparent` is valid, by W3C Trace Context: what is copied, and what is ignored."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records.trace import MAX_BYTES, TRACEPARENT_PATTERN, is_traceparent

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        f"00-{TRACE}-{PARENT}-00",
        f"00-{TRACE}-{PARENT}-ff",
        f"01-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like",
        f"fe-{TRACE}-{PARENT}-01-",
    ],
)
def test_valid_ones(value: str) -> None:
    """A later version may have more fields. All fit what the AsyncAPI document says."""
    assert is_traceparent(value.encode())
    assert re.search(TRACEPARENT_PATTERN, value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        GOOD.upper(),
        f"{GOOD}\n",
        f" {GOOD}",
        f"{GOOD}-more",
        f"{GOOD},{GOOD}",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"01-{'0' * 32}-{PARENT}-01",
        f"01-{TRACE}-{PARENT}-01more",
        f"01-{TRACE}-{PARENT}-01-\x00",
        f"01-{TRACE}-{PARENT}-01-{'x' * MAX_BYTES}",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00_{TRACE}_{PARENT}_01",
        f"0x-{TRACE}-{PARENT}-01",
    ],
)
def test_invalid_ones(value: str) -> None:
    assert not is_traceparent(value.encode())


@given(st.binary(max_size=70))
def test_any_bytes_are_judged(value: bytes) -> None:
    """By chance none of them is valid, and none raises."""
    assert not is_traceparent(value)


@given(st.integers(0, len(GOOD) - 1), st.integers(0x80, 0xFF))
def test_what_is_valid_is_ascii(at: int, other: int) -> None:
    """A valid one with another byte in place of one of its own."""
    value = bytearray(GOOD.encode())
    value[at] = other
    assert not is_traceparent(bytes(value))


@given(st.from_regex(re.compile(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")))
def test_the_first_four_fields_decide(value: str) -> None:
    version, trace, parent, _ = value.split("-")
    assert is_traceparent(value.encode()) == (version != "ff" and int(trace, 16) > 0 and int(parent, 16) > 0)
