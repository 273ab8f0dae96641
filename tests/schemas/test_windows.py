"""The windows that counts are kept under."""

from hypothesis import given
from hypothesis import strategies as st

from ops.verify import reading
from schemas.documents import utc
from schemas.windows import (
    MINUTE_MILLIS,
    MINUTES_PER_HOUR,
    WINDOW_MINUTES,
    bucket_of,
    counts_by_window,
    window_of,
)

WINDOW_MILLIS = WINDOW_MINUTES * MINUTE_MILLIS
times = st.integers(0, 10**13)


def test_no_window_crosses_an_hour() -> None:
    assert 0 == MINUTES_PER_HOUR % WINDOW_MINUTES


@given(times)
def test_a_window_is_named_by_the_minute_it_starts_in(millis: int) -> None:
    assert 0 <= millis - window_of(millis) * MINUTE_MILLIS < WINDOW_MILLIS


@given(times)
def test_a_document_gives_back_the_windows_it_was_written_for(millis: int) -> None:
    hour, minute = bucket_of(window_of(millis))
    assert [(window_of(millis), 7)] == list(counts_by_window({"hour": hour, "minutes": {minute: 7}}))
    assert hour <= utc(millis)


def test_verify_counts_in_windows_of_the_same_length() -> None:
    """It has a separate constant, so that it can find a mistake in the other."""
    assert WINDOW_MINUTES == reading.WINDOW_MINUTES
