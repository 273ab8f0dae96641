"""The parameters that both queries share: times, limits, page tokens (Q3, Q6)."""

import pytest

from console.queries.parameters import (
    MAX_MILLIS,
    asked_of,
    checked_range,
    limit_param,
    millis_param,
    place_param,
)
from serving.http.paging import digest_token
from serving.http.query import BadQuery

KNOWN = ("app", "from", "limit")
SHAPE = (int, str)


def fields(error: pytest.ExceptionInfo[BadQuery]) -> list[str]:
    return [violation.field for violation in error.value.violations]


def test_q3_an_empty_parameter_is_an_absent_one() -> None:
    """Dashboards send one for a variable that is not set."""
    assert {"app": "demo"} == asked_of(b"app=demo&from=", KNOWN, "demo").parameters


def test_q3_every_parameter_that_is_unknown_or_there_twice_is_named() -> None:
    """A misspelt `from` must not return the rows of another range."""
    with pytest.raises(BadQuery) as caught:
        asked_of(b"form=1&app=a&app=b&access_token=x", KNOWN, "demo").require_valid()
    assert ["form", "access_token", "app"] == fields(caught)


@pytest.mark.parametrize("query", [b"app=%ff", b"app=\xff", b"a=1&" * 60])
def test_q3_a_query_that_cannot_be_read_is_refused(query: bytes) -> None:
    """It is not UTF-8, or has too many parameters."""
    with pytest.raises(BadQuery):
        asked_of(query, KNOWN, "demo").require_valid()


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("0", 0),
        ("1795392000000", 1_795_392_000_000),
        ("2026-11-23T00:00:00Z", 1_795_392_000_000),
        ("2026-11-23t02:00:00.250+02:00", 1_795_392_000_250),
        ("9999-12-31T23:59:59.999Z", MAX_MILLIS),
    ],
)
def test_q3_a_time_is_rfc_3339_or_milliseconds(text: str, millis: int) -> None:
    """People write the one, and Grafana sends the other."""
    assert millis == millis_param({"from": text}, "from")


@pytest.mark.parametrize(
    "text",
    [
        "-1",
        "1.5",
        "1_000",
        "٣",
        "yesterday",
        "2026-11-31",
        "2026-1-1",
        "0000-01-01",
        "0001-01-01",
        "2026-11-23T00:00:00",
        "2026-13-01T00:00:00Z",
        "2026-W47-1T00:00:00Z",
        "2026-11-23T02:00:00 02:00",
        "999999999999999",
        "1969-12-31T23:59:59Z",
    ],
)
def test_q3_what_is_no_time_is_refused_by_name(text: str) -> None:
    """A time without an offset would mean another hour on another machine."""
    with pytest.raises(BadQuery) as caught:
        millis_param({"from": text}, "from")
    assert ["from"] == fields(caught)


@pytest.mark.parametrize(("start", "end", "right"), [(5, 5, False), (6, 5, False), (0, 86_400_000, True)])
def test_q3_a_range_holds_something_and_has_an_end(start: int, end: int, *, right: bool) -> None:
    """The range excludes `to`."""
    if right:
        checked_range(start, end, 1)
        end += 1
    with pytest.raises(BadQuery, match="to: "):
        checked_range(start, end, 1)


def test_q3_a_limit_has_a_default_and_a_most() -> None:
    """A larger limit is reduced to the most, as in the lists of the games API."""
    assert 100 == limit_param({}, 100, 500)
    assert 50 == limit_param({}, 100, 50)
    assert 500 == limit_param({"limit": "2147483647"}, 100, 500)
    assert 5 == limit_param({"limit": "05"}, 100, 500)
    for text in ("0", "-1", "x", "1.0", "2147483648", "٣", "1" * 5_000):
        with pytest.raises(BadQuery, match="limit"):
            limit_param({"limit": text}, 100, 500)


@pytest.mark.parametrize("at", [-1, MAX_MILLIS + 1])
def test_q6_a_token_with_a_number_that_is_no_time_is_refused_by_name(at: int) -> None:
    """It is not signed, so any client can make one."""
    with pytest.raises(BadQuery) as caught:
        place_param({"pageToken": digest_token((at, ""), ("demo",))}, ("demo",), SHAPE)
    assert ["pageToken"] == fields(caught)


def test_q6_a_token_is_read_for_its_own_query_and_refused_by_name_for_another() -> None:
    """Without one, the page is the first."""
    given = {"pageToken": digest_token((MAX_MILLIS, "A"), ("demo",))}
    assert (MAX_MILLIS, "A") == place_param(given, ("demo",), SHAPE)
    with pytest.raises(BadQuery) as caught:
        place_param(given, ("demo", "B"), SHAPE)
    assert ["pageToken"] == fields(caught)
    assert place_param({}, ("demo",), SHAPE) is None
