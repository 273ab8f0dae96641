"""The table of answers, value by value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.games.checks import WholeFailure, events_counted, events_named
from ingress.games.language import number_writer
from ingress.games.replies import failure_reply, player_events, totals_answer
from ingress.http.encoding import DECODED
from ingress.http.replies import server_timing
from schemas.errors.table import Refusal
from schemas.games.body import EventFailureCause, EventUpdateResponse, parse_request
from schemas.games.judging import Judgement
from schemas.wire.malformed import Violation
from serving.http.replies import refusal_reply
from tests.ingress.rig import batch, period, update


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_has_googles_shape(refusal: Refusal) -> None:
    reply = refusal_reply(refusal)
    error = json.loads(reply.body)["error"]
    assert list(error) == ["code", "message", "status", "errors"]
    assert error["code"] == reply.status
    assert list(error["errors"][0]) == ["reason", "message", "domain"]
    assert error["errors"][0]["domain"] == "global"


@pytest.mark.parametrize(
    ("refusal", "header"),
    [
        (Refusal.UNAUTHENTICATED, b"www-authenticate"),
        (Refusal.BODY_LATE, b"connection"),
        (Refusal.ENCODING, b"accept-encoding"),
        (Refusal.UNAVAILABLE, b"retry-after"),
    ],
)
def test_a_refusal_carries_its_header(refusal: Refusal, header: bytes) -> None:
    assert header in dict(refusal_reply(refusal).headers)


def test_b3_the_encodings_of_the_header_are_those_that_are_read() -> None:
    """The table of errors writes them out, because it imports no server."""
    assert b", ".join(DECODED) == dict(refusal_reply(Refusal.ENCODING).headers)[b"accept-encoding"]


def test_b2_the_violations_are_details_of_a_bad_request() -> None:
    reply = refusal_reply(Refusal.MALFORMED, (Violation(field="requestId", description="Field required"),))
    (detail,) = json.loads(reply.body)["error"]["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert detail["fieldViolations"] == [{"field": "requestId", "description": "Field required"}]


def test_g17_retry_after_is_a_whole_second_at_least() -> None:
    failures = [WholeFailure(EventFailureCause.RECORD_RATE_HIGH, seconds) for seconds in (0.01, 1.2, 60)]
    assert [dict(failure_reply(one).headers)[b"retry-after"] for one in failures] == [b"1", b"2", b"60"]


def test_g14_events_come_by_first_appearance() -> None:
    request = parse_request(batch(period(update("B"), update("A")), period(update("C"), update("B"))))
    judgement = Judgement(updates=((1, 0, "NOT_FOUND"),))  # type: ignore[arg-type]  # any cause will do
    assert events_named(request) == ("B", "A", "C")
    assert events_counted(request, judgement) == ("B", "A")


def test_g15_of_an_event_nothing_is_known_of_nothing_is_said() -> None:
    (only,) = player_events("ann", ("A", "B"), {"B": 1_234_567}, number_writer({}, ()))
    assert (only.definition_id, only.num_events, only.formatted_num_events) == ("B", 1_234_567, "1,234,567")


@given(
    st.text(max_size=9), st.dictionaries(st.text(max_size=9), st.integers(-(2**63), 2**63 - 1), max_size=4), st.text()
)
def test_g14_the_answer_that_refuses_nothing_is_written_as_its_model_writes_it(
    player: str, totals: dict[str, int], text: str
) -> None:
    """Byte for byte: the struct is only quicker."""

    def written(event: str, number: int) -> str:
        return f"{event}{text}{number}"

    events = ("A", *totals)
    model = EventUpdateResponse(player_events=player_events(player, events, totals, written))
    assert model.model_dump_json().encode() == totals_answer(player, events, totals, written)


def test_server_timing_is_in_milliseconds() -> None:
    assert server_timing(0.0123, None) == (b"server-timing", b"accepted;dur=12.3")
    assert server_timing(0.0123, 0.04) == (b"server-timing", b"accepted;dur=12.3, visible;dur=40.0")
