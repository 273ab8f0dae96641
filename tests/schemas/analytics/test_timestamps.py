"""When an item happened: every form gives one time. Ambiguous times, and times that can't be stored, are refused."""

import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.analytics.timestamps import MAX_AT_MICROS, timestamp_micros
from schemas.documents import EPOCH, utc
from schemas.wire.values import BadValue

MOMENT = 1_790_000_000_123_000


def refused(sent: object) -> str:
    with pytest.raises(BadValue) as error:
        timestamp_micros(sent)
    assert "Timestamp" == error.value.field
    return error.value.description


@pytest.mark.parametrize(
    "sent",
    [
        "1790000000.123",
        1790000000.123,
        "1790000000123",
        1790000000123,
        "1790000000123.0",
        "1790000000123000",
        1790000000123000,
        "/Date(1790000000123)/",
        "/Date(1790000000123+0200)/",
        " 2026-09-21T14:13:20.123Z ",
        "2026-09-21T14:13:20.123",
        "2026-09-21T16:13:20.123+02:00",
        "20260921T141320.123Z",
    ],
)
def test_a6_every_form_of_a_time_is_the_same_moment(sent: object) -> None:
    """Seconds, milliseconds, microseconds, ISO 8601 and Microsoft's."""
    assert MOMENT == timestamp_micros(sent)


@given(st.datetimes(datetime(1970, 1, 2), datetime(5000, 1, 1)), st.sampled_from([1, 10**3, 10**6]))  # noqa: DTZ001
def test_a6_epochs_are_told_apart_by_magnitude(moment: datetime, per_second: int) -> None:
    """From 1973 on in all three units, but for some that read as a date written in digits."""
    seconds = int(moment.replace(tzinfo=UTC).timestamp()) + 10**8
    assume(len(str(seconds)) == 10 or not str(seconds).startswith(("19", "20")))
    assert seconds * 10**6 == timestamp_micros(str(seconds * per_second))


@pytest.mark.parametrize(
    "sent", ["", "0", 0, -1, "-5", "soon", True, [], {}, 10**17, 1e300, "1969-12-31", "/Date(0)/", "٣"]
)
def test_a6_what_is_no_time_is_refused_by_name(sent: object) -> None:
    """Negative, zero, empty, another type, too large."""
    refused(sent)


@pytest.mark.parametrize(
    ("sent", "counts_as"),
    [
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999+00:00"),
        ("2016-12-31t23:59:60.5z", "2016-12-31T23:59:59.999999+00:00"),
        ("20161231T235960+0100", "2016-12-31T22:59:59.999999+00:00"),
        ("2026-09-21t14:13:20z", "2026-09-21T14:13:20+00:00"),
        ("2026-09-21 14:13:20,25-00:30", "2026-09-21T14:43:20.250000+00:00"),
        ("2026-09-21T14:13:20.123456789+05:30:15", "2026-09-21T08:43:05.123456+00:00"),
        ("2026-09-21T24:00:00Z", "2026-09-22T00:00:00+00:00"),
        ("2026-09-21", "2026-09-21T00:00:00+00:00"),
        ("2026W391T14", "2026-09-21T14:00:00+00:00"),
        ("2026-W39", "2026-09-21T00:00:00+00:00"),
    ],
)
def test_a6_leap_seconds_small_letters_and_the_rest_of_iso_8601_are_taken(sent: str, counts_as: str) -> None:
    """RFC 3339 whole; a leap second is the last moment of its minute."""
    assert datetime.fromisoformat(counts_as) == EPOCH + timedelta(microseconds=timestamp_micros(sent))


@pytest.mark.parametrize(
    "sent",
    [
        "2026-09-21T24:00:01Z",
        "2026-09-21T23:60Z",
        "2026-09-21T23:59:61Z",
        "2026-02-30",
        "2026-W54",
        "2026-W39-8",
        "2026-09-21T14:13:20+24:00",
        "2026-09-21T14:13:20+00:60",
        "2026-09-21T14:1320",
        "2026-0921",
        "0000-01-01",
        "2026-09-21T14:13:20 Z",
        "2026-09-21T",
        "2026-09-21T14:13:20.Z",
        "2026-09-21Z",
        "2026-09",
        "1790000000.",
    ],
)
def test_a6_what_is_no_iso_8601_is_refused(sent: str) -> None:
    """By one grammar, whatever a version of Python reads."""
    assert "must be an epoch (s, ms or us), ISO 8601, or /Date(ms)/" == refused(sent)


@pytest.mark.parametrize(
    "sent",
    [
        "20260921141320",
        20260921141320,
        "20260921",
        20260921,
        20260921.0,
        "19991231",
        " 20260921 ",
        "20260921.5",
        "202609211413",
        202609211413,
        "20260921141320123",
        20260921141320123,
    ],
)
def test_a6_a_bare_number_that_reads_as_a_date_is_refused_by_name(sent: object) -> None:
    """It would be a time in 1970, or in the year 2612."""
    assert refused(sent).startswith("reads as a date written in digits alone")


@pytest.mark.parametrize("sent", ["1990000000", 2026092114, "2026092114132012", 1999999999999, "200000", "2026"])
def test_a6_an_epoch_that_may_be_meant_is_taken(sent: object) -> None:
    """Those of the years from 2030 on begin with 19 and 20; a clock that was reset shows small ones."""
    assert timestamp_micros(sent) > 0


@pytest.mark.parametrize(
    "sent",
    ["9999-12-31T23:59:59.9999999-08:00", "9999-12-31T23:59:59.9999Z", "9999-12-31T24:00Z", "9999-12-31T23:00-01:00"],
)
def test_b10_a_time_that_can_not_be_stored_is_refused_by_name(sent: str) -> None:
    """Past 9999-12-31T23:59:59.999Z."""
    assert "must not lie past the year 9999" == refused(sent)
    assert MAX_AT_MICROS == timestamp_micros("9999-12-31T23:59:59.999Z")


def test_a6_a_text_longer_than_any_form_is_not_read() -> None:
    """Whatever it begins with."""
    assert "is longer than 64 characters" == refused("1790000000." + "0" * 1_000_000)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.sampled_from(["seconds", "milliseconds", "microseconds", "minutes"]),
)
def test_a6_what_python_writes_is_read_as_python_reads_it(moment: datetime, minutes: int, timespec: str) -> None:
    """With any offset."""
    text = moment.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat(timespec=timespec)
    expected = (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
    assume(0 < expected <= MAX_AT_MICROS)
    assert expected == timestamp_micros(text)


@given(
    st.text(alphabet=string.digits + "TtZzW:-+., /Date()", max_size=30)
    | st.integers()
    | st.floats()
    | st.from_regex(
        r"[0-9]{4}-?[01][0-9]-?[0-3][0-9][Tt ]?[0-9:]{0,8}([.,][0-9]{1,9})?(Z|[+-][0-9:]{2,8})?", fullmatch=True
    )
)
def test_b10_what_is_taken_is_a_time_that_can_be_stored(sent: object) -> None:
    """Any other is refused, without an unexpected error."""
    try:
        micros = timestamp_micros(sent)
    except BadValue:
        return
    assert 0 < micros <= MAX_AT_MICROS
    assert utc(micros // 1000).tzinfo is UTC
