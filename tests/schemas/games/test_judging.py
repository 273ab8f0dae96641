"""G5-G13, G16: judging, limit by limit."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.games.body import EventFailureCause, EventRecordRequest, EventUpdateFailureCause, parse_request
from schemas.games.judging import (
    MAX_ECHO_CHARACTERS,
    Judgement,
    accepted_updates,
    batch_failures,
    event_failures,
    judge,
    payload_crc,
)
from schemas.settings import Limits
from tests.samples import DAY, HOUR, MINUTE, NOW, batch, period, update

LIMITS = Limits()
DECLARED = {"LEVEL_UP", "COIN_FOUND"}
TOLERANCE = int(LIMITS.clock_skew_tolerance_seconds * 1000)
MAX_AGE = int(LIMITS.max_period_age_seconds * 1000)


def judged(
    *periods: dict[str, Any], limits: Limits = LIMITS, sent: object = None
) -> tuple[EventRecordRequest, Judgement]:
    request = parse_request(batch(*periods, currentTimeMillis=sent))
    return request, judge(request, NOW, limits, DECLARED)


def causes(*periods: dict[str, Any]) -> list[EventFailureCause]:
    request, judgement = judged(*periods)
    return [failure.failure_cause for failure in batch_failures(request, judgement)]


def counted(*periods: dict[str, Any]) -> list[tuple[str, int]]:
    request, judgement = judged(*periods)
    return [(a.definition_id, a.update_count) for a in accepted_updates(request, judgement)]


def test_g5_a_period_without_updates_is_judged_and_counts_nothing() -> None:
    """G5."""
    assert counted(period()) == []
    assert causes(period(start=NOW - MAX_AGE - HOUR)) == [EventFailureCause.TIME_PERIOD_EXPIRED]


def test_g6_updates_and_empty_periods_weigh_alike() -> None:
    """G6: equal to the limit passes, one more is TOO_LARGE, and nothing counts."""
    limits = Limits(max_updates_per_request=3)
    fits = (period(update(), update()), period())
    request, judgement = judged(*fits, limits=limits)
    assert len(accepted_updates(request, judgement)) == 2
    request, judgement = judged(*fits, period(), limits=limits)
    assert accepted_updates(request, judgement) == ()
    assert [f.failure_cause for f in batch_failures(request, judgement)] == [EventFailureCause.TOO_LARGE]
    assert batch_failures(request, judgement)[0].range.period_start_millis is None


@pytest.mark.parametrize("sent", [None, "0", str(NOW), str(NOW + TOLERANCE), str(NOW - MAX_AGE)])
def test_g7_a_clock_that_may_be_right_shifts_nothing(sent: str | None) -> None:
    """G7: a body stored and sent later is not shifted; equal to a limit passes."""
    _, judgement = judged(period(update()), sent=sent)
    assert judgement.shift_millis == 0


def test_g7_a_clock_ahead_shifts_every_period() -> None:
    """G7: an hour ahead; the client's own range is echoed and hashed, ours is counted."""
    ahead = HOUR
    request, judgement = judged(period(update(), start=NOW + ahead - 2 * MINUTE), sent=str(NOW + ahead))
    (accepted,) = accepted_updates(request, judgement)
    assert accepted.start_millis == NOW - 2 * MINUTE
    assert accepted.period.period_start_millis == NOW + ahead - 2 * MINUTE


def test_g7_a_reset_clock_shifts_every_period() -> None:
    """G7: a clock in 1970 can't be right."""
    request, judgement = judged(period(update(), start=1 * MINUTE, end=3 * MINUTE), sent=str(3 * MINUTE))
    (accepted,) = accepted_updates(request, judgement)
    assert accepted.start_millis == NOW - 2 * MINUTE


@pytest.mark.parametrize(
    ("start", "end", "cause"),
    [
        (NOW - HOUR, NOW - HOUR + 1000, None),
        (NOW - HOUR, NOW - HOUR + 999, "TIME_PERIOD_SHORT"),
        (NOW - HOUR, NOW - HOUR, "TIME_PERIOD_SHORT"),
        (NOW - HOUR, NOW - 2 * HOUR, "TIME_PERIOD_SHORT"),
        (NOW - DAY, NOW, None),
        (NOW - DAY - 1, NOW, "TIME_PERIOD_LONG"),
        (NOW, NOW + TOLERANCE, None),
        (NOW, NOW + TOLERANCE + 1, "TIME_PERIOD_LONG"),
        (NOW - MAX_AGE - HOUR, NOW - MAX_AGE, None),
        (NOW - MAX_AGE - HOUR, NOW - MAX_AGE - 1, "TIME_PERIOD_EXPIRED"),
        (-(2**63), 2**63 - 1, "TIME_PERIOD_LONG"),
        (2**63 - 1, -(2**63), "TIME_PERIOD_SHORT"),
    ],
)
def test_g8_each_period_by_its_first_limit(start: int, end: int, cause: str | None) -> None:
    """G8: SHORT, then LONG, then EXPIRED; equal to a limit passes."""
    assert [c.value for c in causes(period(update(), start=start, end=end))] == ([cause] if cause else [])


def test_g9_a_bad_period_or_update_never_affects_others() -> None:
    """G9: and a bad period's updates are not judged."""
    bad = period(update("NOPE"), start=NOW - HOUR, end=NOW - HOUR)
    request, judgement = judged(bad, period(update("NOPE"), update(count="0"), update("COIN_FOUND", "3")))
    assert [(a.definition_id, a.update_count) for a in accepted_updates(request, judgement)] == [("COIN_FOUND", 3)]
    assert [i for i, _ in judgement.periods] == [0]
    assert [(i, j) for i, j, _ in judgement.updates] == [(1, 0), (1, 1)]


def test_g10_the_same_period_and_definition_twice_all_count() -> None:
    """G10."""
    twice = period(update(count="2"), update(count="3"))
    assert counted(twice, twice) == [("LEVEL_UP", 2), ("LEVEL_UP", 3)] * 2


def test_g10_event_failures_are_one_per_event_and_cause() -> None:
    """G10: by first appearance; NOT_FOUND before INVALID_UPDATE_VALUE."""
    request, judgement = judged(
        period(update(count="-1"), update("NOPE", "0"), update(count="0"), update("NOPE", "1"), update(count="1"))
    )
    expected = [("LEVEL_UP", EventUpdateFailureCause.INVALID_UPDATE_VALUE), ("NOPE", EventUpdateFailureCause.NOT_FOUND)]
    assert expected == [(f.event_id, f.failure_cause) for f in event_failures(request, judgement)]


def test_g11_an_id_outside_the_pattern_is_not_found_and_echoed_cut() -> None:
    """G11."""
    request, judgement = judged(period(update("x" * 1000), update("$where"), update("")))
    failures = event_failures(request, judgement)
    assert [len(f.event_id) for f in failures] == [MAX_ECHO_CHARACTERS, 6, 0]
    assert {f.failure_cause for f in failures} == {EventUpdateFailureCause.NOT_FOUND}


@pytest.mark.parametrize(("count", "is_counted"), [("1", True), ("1000000", True), ("1000001", False), ("0", False)])
def test_g13_update_counts_have_a_limit(count: str, *, is_counted: bool) -> None:
    """G13: judged entry by entry."""
    assert bool(counted(period(update(count=count)))) is is_counted


def test_g16_payload_identity_is_what_counts_never_the_bytes() -> None:
    """G16: a correct retry refreshes currentTimeMillis, and may reorder."""
    one, two = period(update(count="2"), update("COIN_FOUND")), period(update(), start=NOW - 2 * HOUR)
    split = period(update(), update("COIN_FOUND"), update())
    crcs = {
        payload_crc(accepted_updates(*judged(*periods, sent=str(sent))))
        for periods, sent in (((one, two), NOW), ((two, split), NOW - 1), ((two, one), NOW + HOUR))
    }
    assert len(crcs) == 1
    assert payload_crc(accepted_updates(*judged(one))) not in crcs


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)), max_size=5))
def test_g8_no_range_of_any_size_breaks_the_judge(ranges: list[tuple[int, int]]) -> None:
    """Every period is judged: it counts, or has one failure."""
    request, judgement = judged(*(period(update(), start=start, end=end) for start, end in ranges))
    assert len(ranges) == len(accepted_updates(request, judgement)) + len(batch_failures(request, judgement))
