"""B2, G3-G5: reading a body, and naming everything that is wrong with it."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.games.body import (
    EventBatchRecordFailure,
    EventFailureCause,
    EventPeriodRange,
    EventUpdateFailureCause,
    EventUpdateResponse,
    parse_request,
)
from schemas.wire.malformed import MAX_VIOLATIONS, MalformedBody
from tests.samples import batch, period, update


def fields_of(body: bytes) -> list[str]:
    with pytest.raises(MalformedBody) as caught:
        parse_request(body)
    return [violation.field for violation in caught.value.violations]


def test_b2_every_violation_is_named_by_its_path() -> None:
    """B2: a client mends all of a body at once."""
    body = batch({"timePeriod": {"periodStartMillis": "1"}, "updates": [{"definitionId": 3}]}, request_id="x")
    expected = [
        "requestId",
        "timePeriods[0].timePeriod.periodEndMillis",
        "timePeriods[0].updates[0].definitionId",
        "timePeriods[0].updates[0].updateCount",
    ]
    assert expected == fields_of(body)


def test_b2_violations_are_bounded() -> None:
    """B2: the first twenty are enough."""
    assert len(fields_of(batch(*[{}] * 30))) == MAX_VIOLATIONS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'\xef\xbb\xbf{"requestId":"1"}',
        b'{"requestId":"1","kind":"\xff"}',
        b'{"requestId":"1","kind":"\\ud800"}',
        b"[" * 100_000,
        b"1" * 5_000,
        b'{"requestId":"1"} trailing',
    ],
)
def test_b2_what_is_no_json_object_is_refused(body: bytes) -> None:
    """B2: BOM, invalid UTF-8, lone surrogates, depth."""
    assert [""] == fields_of(body) or ["kind"] == fields_of(body)


@pytest.mark.parametrize("value", [b"NaN", b"1e400", b"-Infinity"])
def test_b2_numbers_beyond_json_are_refused(value: bytes) -> None:
    """B2: NaN and infinities are no JSON, wherever they stand."""
    assert ["requestId"] == fields_of(b'{"requestId":' + value + b"}")
    assert ["more"] == fields_of(b'{"requestId":"1","more":' + value + b"}")


def test_b2_of_a_key_given_twice_the_last_counts() -> None:
    """B2: in every decoder alike."""
    assert parse_request(b'{"requestId":"1","requestId":"2"}').request_id == 2


@pytest.mark.parametrize("request_id", ["0", 0, "", None, "007"])
def test_g4_request_id_must_be_an_id(request_id: object) -> None:
    """G4: missing, null, "" or 0 is 400."""
    assert ["requestId"] == fields_of(batch(request_id=request_id))


def test_g4_a_missing_request_id_is_named() -> None:
    """G4: the field is there in the message even when it isn't in the body."""
    assert ["requestId"] == fields_of(b"{}")


def test_g4_a_negative_request_id_is_valid() -> None:
    """G4: ids are any int64 but 0."""
    assert parse_request(batch(request_id="-5")).request_id == -5


@pytest.mark.parametrize("body", [b'{"requestId":"1"}', b'{"requestId":"1","timePeriods":null}', batch()])
def test_g5_no_periods_is_well_formed(body: bytes) -> None:
    """G5: missing, null or []."""
    assert parse_request(body).time_periods == ()


def test_g5_updates_missing_or_null_are_none() -> None:
    """G5: the period is judged and counts nothing."""
    sent = period()
    bare = {"timePeriod": sent["timePeriod"]}
    request = parse_request(batch(sent, bare, {**bare, "updates": None}))
    assert [p.updates for p in request.time_periods] == [(), (), ()]


def test_g5_kind_is_any_string_and_unknown_fields_are_named() -> None:
    """G5: as Google does."""
    assert parse_request(batch(period(update()), kind="whatever")).kind == "whatever"
    assert ["extra"] == fields_of(batch(extra=1))
    assert ["request_id"] == fields_of(json.dumps({"requestId": "1", "request_id": "2"}).encode())
    assert ["timePeriods[0].timePeriod"] == fields_of(batch({"updates": []}))


def test_g7_a_negative_clock_is_refused() -> None:
    """G7: no client sends before 1970."""
    assert ["currentTimeMillis"] == fields_of(batch(currentTimeMillis="-1"))


def test_g16_a_request_wide_failure_has_an_empty_range() -> None:
    """G16: the range is there, with its kind alone; all three arrays are there."""
    answer = EventUpdateResponse(
        batch_failures=(EventBatchRecordFailure(failure_cause=EventFailureCause.TOO_LARGE),),
    )
    expected = {
        "kind": "games#eventUpdateResponse",
        "batchFailures": [
            {
                "kind": "games#eventBatchRecordFailure",
                "range": {"kind": "games#eventPeriodRange"},
                "failureCause": "TOO_LARGE",
            }
        ],
        "eventFailures": [],
        "playerEvents": [],
    }
    assert expected == json.loads(answer.model_dump_json())


def test_g8_a_period_failure_echoes_its_range() -> None:
    """G7, G8: the client's own values, as strings."""
    echoed = EventPeriodRange(period_start_millis=1, period_end_millis=2)
    expected = {"kind": "games#eventPeriodRange", "periodStartMillis": "1", "periodEndMillis": "2"}
    assert expected == json.loads(echoed.model_dump_json())


@pytest.mark.parametrize("cause", EventUpdateFailureCause)
def test_every_cause_names_a_field_of_an_update(cause: EventUpdateFailureCause) -> None:
    """The sample of refusals points to it."""
    assert cause.field in {"definitionId", "updateCount"}


def test_a_request_can_not_be_changed() -> None:
    """So what was judged is what is published."""
    request = parse_request(batch())
    with pytest.raises(AttributeError):
        request.request_id = 2  # type: ignore[misc]  # the point of the test


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_b2_hostile_bytes_are_refused_and_never_crash(body: bytes) -> None:
    """B2: any bytes are a batch or a MalformedBody."""
    with contextlib.suppress(MalformedBody):
        assert parse_request(body).request_id != 0
