"""From a record to a batch, or to the reason why it can't be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.dead import Unreadable
from consumer.core.decode import decode, decode_analytics
from consumer.core.games.decode import Batch, Unjudged
from consumer.core.games.judge import judge_unjudged
from consumer.core.records import Origin, Record
from schemas.definitions import Definition, DefinitionTerm
from schemas.documents import utc
from schemas.games.body import EventFailureCause, EventUpdateFailureCause, parse_request
from schemas.games.judging import Judgement, judge
from schemas.settings import Limits, LimitSettings
from tests.samples import DAY, KEYS, MINUTE, NOW, batch, item, period, pool, sealed, sealed_pool, update


def raw(body: bytes, key: bytes | None = b"demo/ann") -> Record:
    return Record(7, NOW, key, body, [])


def definition(event: str, declared: int = 0, retired: int | None = None, *earlier: DefinitionTerm) -> Definition:
    return Definition(
        app="demo",
        definition_id=event,
        default_language="en",
        names={"en": event},
        declared_at=utc(declared),
        retired_at=None if retired is None else utc(retired),
        earlier=earlier,
    )


def judged(body: bytes, *definitions: Definition) -> Batch:
    decoded = decode(raw(body), KEYS)
    assert isinstance(decoded, Unjudged)
    return judge_unjudged(decoded, {"demo": definitions}, Limits())


def test_what_the_ingress_judged_is_not_judged_again() -> None:
    """The client has this answer: what the header rejects doesn't count, whatever the limits are now."""
    body = batch(period(update(), update("NOPE")), period(update(count="-5"), start=0, end=-1), request_id="9")
    judgement = Judgement(
        periods=((1, EventFailureCause.TIME_PERIOD_SHORT),), updates=((0, 1, EventUpdateFailureCause.NOT_FOUND),)
    )
    decoded = decode(sealed(3, body, request_id=9, judgement=judgement), KEYS)
    assert isinstance(decoded, Batch)
    assert decoded.origin == Origin(3, NOW, NOW, "demo", "ann")
    assert (decoded.request_id, decoded.key) == (9, "demo/ann/9")
    assert [(a.definition_id, a.update_count) for a in decoded.accepted] == [("LEVEL_UP", 1)]
    assert decoded.cause == ""


@pytest.mark.parametrize(
    ("body", "key", "reason"),
    [
        (b"\x00\xff", b"demo/ann", "not a batch: body"),
        (b"{}", b"demo/ann", "not a batch: requestId"),
        (b"", b"demo/ann", "not a batch: body"),
        (batch(), None, "no app and player: key"),
    ],
)
def test_a_record_nobody_can_read_says_why(body: bytes, key: bytes | None, reason: str) -> None:
    """It is dead, and stops nothing."""
    decoded = decode(raw(body, key), KEYS)
    assert isinstance(decoded, Unreadable)
    assert decoded.reason.startswith(reason)


@given(st.binary(max_size=300), st.none() | st.binary(max_size=20))
def test_no_bytes_stop_the_worker(body: bytes, key: bytes | None) -> None:
    """Whatever is in the topic."""
    assert decode(raw(body, key), KEYS)


def test_g12_a_raw_record_is_judged_by_its_own_time() -> None:
    """G12: a definition declared later, or retired earlier, does not count for it."""
    body = batch(period(update("NEW"), update("OLD"), update("NOW")))
    found = judged(body, definition("NEW", NOW + 1), definition("OLD", 0, NOW), definition("NOW", NOW, NOW + 1))
    assert [a.definition_id for a in found.accepted] == ["NOW"]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (batch(), "EMPTY"),
        (batch(period(update("NOPE"))), "NOT_FOUND"),
        (batch(period(update(count="0"))), "INVALID_UPDATE_VALUE"),
        (batch(period(update(), start=NOW - 40 * DAY)), "TIME_PERIOD_EXPIRED"),
        (batch(period(update(), end=NOW + DAY)), "TIME_PERIOD_LONG"),
        (batch(*[period(start=NOW - MINUTE)] * 1001), "TOO_LARGE"),
    ],
)
def test_a_raw_record_of_which_nothing_is_left_has_a_cause(body: bytes, cause: str) -> None:
    """The first failure of the answer it would have got."""
    found = judged(body, definition("LEVEL_UP"))
    assert (found.accepted, found.cause) == ((), cause)


def test_an_app_without_definitions_has_none() -> None:
    """Everything is NOT_FOUND, nothing breaks."""
    decoded = decode(raw(batch(period(update()))), KEYS)
    assert isinstance(decoded, Unjudged)
    assert judge_unjudged(decoded, {}, Limits()).cause == "NOT_FOUND"


def test_a_raw_record_is_judged_by_its_apps_limits() -> None:
    """The same that the ingress judges that app by."""
    limits = LimitSettings.model_validate({"apps": {"demo": {"max_update_count": 2}}})
    for app, accepted in (("demo", 0), ("other", 1)):
        decoded = decode(raw(batch(period(update(count="3"))), f"{app}/ann".encode()), KEYS)
        assert isinstance(decoded, Unjudged)
        found = judge_unjudged(decoded, {app: [definition("LEVEL_UP")]}, limits)
        assert accepted == len(found.accepted)


def test_g18_what_was_acknowledged_counts_whatever_the_limits_are_by_then() -> None:
    """G18: the ingress's judgement goes with the record; a worker has no limit to refuse it by."""
    body = batch(*[period(*[update(count="1000000")] * 50)] * 20, request_id="9")
    decoded = decode(sealed(3, body, request_id=9), KEYS)
    assert isinstance(decoded, Batch)
    assert len(decoded.accepted) == 1_000
    now = Limits(max_updates_per_request=1, max_update_count=1, max_period_age_seconds=1)
    assert judge(parse_request(body), NOW, now, set()).too_large, "an ingress would refuse it now"


def test_g12_a_record_of_a_time_before_a_definition_was_declared_again_counts() -> None:
    """The definition was declared at that time. Between the two times it was not."""
    body = batch(period(update()))
    first = DefinitionTerm(declared_at=utc(0), retired_at=utc(NOW + 1))
    again = definition("LEVEL_UP", NOW + DAY, None, first)
    assert 1 == len(judged(body, again).accepted)
    between = DefinitionTerm(declared_at=utc(0), retired_at=utc(NOW))
    assert () == judged(body, definition("LEVEL_UP", NOW + DAY, None, between)).accepted


def test_a_record_that_the_log_found_a_fault_in_is_dead_unless_an_ingress_signed_it() -> None:
    """For both APIs, with the log's own reason; nothing of it is read."""
    body = batch(period(update()))
    for decodes in (decode, decode_analytics):
        found = decodes(raw(body)._replace(fault="a value of 9 bytes"), KEYS)
        assert isinstance(found, Unreadable)
        assert found.reason == "a value of 9 bytes"
    assert isinstance(decode(sealed(0, body)._replace(fault="a value of 9 bytes"), KEYS), Batch)


def test_only_what_an_ingress_judged_says_when_it_was_received() -> None:
    """A time that no ingress vouches for must not enter the latency metric."""
    raw = Record(0, NOW, b"demo/ann", batch(period(update())), [])
    games = [decode(one, KEYS) for one in (sealed(0, batch(period(update()))), raw, Record(0, NOW, None, b"", []))]
    assert [one.received_millis for one in games] == [NOW, None, None]
    assert [(one.weight, one.stored_bytes) for one in games] == [(1, 0)] * 3
    assert decode_analytics(sealed_pool(0, pool(item())), KEYS).received_millis == NOW
