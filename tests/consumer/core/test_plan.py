"""Fates, sums and documents of a flush."""

from collections.abc import Sequence

from consumer.core.backlog import Backlog
from consumer.core.flush import Flush
from consumer.core.games.plan import make_plan, reads_of
from consumer.core.plan import WritePlan
from consumer.core.reads import Known, SeenRequest
from consumer.core.records import Record
from schemas.coordinates import PartitionId
from schemas.definitions import Definition
from schemas.documents import utc
from schemas.games.judging import Judgement
from schemas.settings import Limits
from tests.samples import DAY, HOUR, KEYS, MINUTE, NOW, batch, period, sealed, update

PARTITION = PartitionId("r1", 3)
LIMITS = Limits()
WINDOW = LIMITS.dedupe_window_seconds * 1000


def flush_of(records: Sequence[Record], start: int = 0) -> Flush:
    backlog = Backlog(10_000, 10**9, KEYS)
    backlog.offer(records)
    backlog.decode_some(10_000)
    flush = backlog.take(PARTITION, start)
    assert flush
    return flush


def planned(*records: Record, start: int = 0, known: Known | None = None) -> WritePlan:
    return make_plan(flush_of(records, start), known or Known(), LIMITS)


def causes(plan: WritePlan) -> list[tuple[str, str]]:
    return [(exception["fate"], exception["cause"]) for exception in plan.exceptions]


def counted(request_id: int = 1, offset: int = 0, count: str = "1", time: int = NOW, player: str = "ann") -> Record:
    body = batch(period(update(count=count)), request_id=str(request_id))
    return sealed(offset, body, request_id=request_id, time_millis=time, player=player)


def test_a_flush_asks_for_each_id_once_and_for_the_apps_of_raw_records() -> None:
    """Sealed records need no definitions."""
    raw = Record(2, NOW, b"other/bob", batch(request_id="4"), [])
    dead = Record(3, NOW, None, b"", [])
    asked = reads_of(flush_of([counted(), counted(offset=1), raw, raw, dead]))
    assert (asked.requests, asked.apps) == (("demo/ann/1", "other/bob/4"), ("other",))
    assert (asked.events, asked.titles.keys) == ((), [])
    assert (asked.partition, asked.size.records, asked.size.weight) == (PARTITION, 5, 5)


def test_an_applied_batch_counts_for_player_bucket_and_request() -> None:
    """All three, from one record, with where it came from."""
    start = NOW // HOUR * HOUR + 7 * MINUTE
    body = batch(period(update(count="2"), update("COIN_FOUND", "3"), start=start - HOUR, end=start))
    plan = planned(sealed(5, body), start=5)
    assert plan.players.keys() == {"demo/ann"}
    assert plan.players["demo/ann"].totals == {"LEVEL_UP": 2, "COIN_FOUND": 3}
    assert plan.players["demo/ann"].updated_at == utc(NOW)
    assert plan.periods.keys() == {
        "2026-09-21T13/demo/games/LEVEL_UP/r1/03",
        "2026-09-21T13/demo/games/COIN_FOUND/r1/03",
    }
    assert plan.periods["2026-09-21T13/demo/games/COIN_FOUND/r1/03"].minutes == {"07": 3}
    assert plan.requests["demo/ann/1"].offset == 5
    assert plan.requests["demo/ann/1"].time_millis == NOW
    assert (plan.exceptions, plan.dead_letters) == ([], [])


def test_g7_the_bucket_is_chosen_by_the_shifted_start() -> None:
    """G7: on our clock."""
    body = batch(period(update(), start=0, end=MINUTE))
    plan = planned(sealed(0, body, judgement=Judgement(shift_millis=NOW // HOUR * HOUR)))
    assert [key[:13] for key in plan.periods] == ["2026-09-21T14"]


def test_a_repeat_in_the_flush_or_before_it_is_a_duplicate() -> None:
    """One player's id, not another's."""
    known = Known({"demo/ann/2": SeenRequest(NOW - 1, 0)})
    plan = planned(counted(1, 0), counted(1, 1), counted(1, 2, player="bob"), counted(2, 3), known=known)
    assert plan.checkpoint.fates == {"applied": 2, "duplicate": 2, "refused": 0, "dead": 0}
    assert plan.players["demo/ann"].totals == {"LEVEL_UP": 1}
    assert causes(plan) == [("duplicate", "ALREADY_UPDATED"), ("duplicate", "PAYLOAD_DIFFERS")]


def test_g16_another_payload_under_a_used_id_is_said_so() -> None:
    """G16: and does not count."""
    plan = planned(counted(1, 0), counted(1, 1, count="2"))
    assert causes(plan) == [("duplicate", "PAYLOAD_DIFFERS")]
    assert plan.players["demo/ann"].totals == {"LEVEL_UP": 1}


def test_an_id_older_than_the_window_counts_again() -> None:
    """Seen means: the record's time - the remembered time <= dedupe_window; equal is seen."""
    known = Known({"demo/ann/1": SeenRequest(NOW - WINDOW - 1, 0), "demo/ann/2": SeenRequest(NOW - WINDOW, 0)})
    plan = planned(counted(1, 0), counted(2, 1), known=known)
    assert plan.checkpoint.fates["applied"] == plan.checkpoint.fates["duplicate"] == 1
    assert plan.requests.keys() == {"demo/ann/1"}


def test_the_same_id_twice_a_window_apart_in_one_flush_leaves_the_later() -> None:
    """One document a flush and id: a worker that lags reads both at once."""
    plan = planned(counted(1, 0, time=NOW - WINDOW - 1), counted(1, 1, time=NOW))
    assert plan.checkpoint.fates["applied"] == 2
    assert plan.requests["demo/ann/1"].offset == 1
    assert plan.players["demo/ann"].updated_at == utc(NOW)


def test_a_record_of_another_time_order_keeps_the_latest_time() -> None:
    """A player's updatedAt never goes back."""
    plan = planned(counted(1, 0, time=NOW), counted(2, 1, time=NOW - 5))
    assert plan.players["demo/ann"].updated_at == utc(NOW)


def test_a_raw_record_is_judged_and_refused_with_its_cause() -> None:
    """And its id is not remembered."""
    raw = Record(0, NOW, b"demo/ann", batch(period(update()), request_id="1"), [])
    plan = planned(raw, sealed(1, batch(period(update()))))
    assert causes(plan) == [("refused", "NOT_FOUND")]
    assert plan.checkpoint.fates == {"applied": 1, "duplicate": 0, "refused": 1, "dead": 0}
    event = Definition(
        app="demo", definition_id="LEVEL_UP", default_language="en", names={}, declared_at=utc(NOW - DAY)
    )
    assert planned(raw, known=Known({}, {"demo": [event]})).checkpoint.fates["applied"] == 1


def test_an_unreadable_record_is_kept_whole() -> None:
    """Key, value, headers, reason."""
    dead = Record(4, NOW, None, b"\xff", [("h", b"v")])
    plan = planned(dead, start=4)
    (letter,) = plan.dead_letters
    assert letter == {
        "_id": "r1/03/4",
        "value": b"\xff",
        "headers": [["h", b"v"]],
        "key": None,
        "reason": "no app and player: key",
        "at": utc(NOW),
    }
    assert causes(plan) == [("dead", "no app and player: key")]


def test_fates_and_gaps_add_up_to_the_offsets() -> None:
    """Kafka's control records are offsets without a record."""
    move = planned(counted(1, 12), counted(2, 15), start=10).checkpoint
    assert (move.start, move.end, move.gaps, move.fates["applied"]) == (10, 16, 4, 2)
    assert move.last["offset"] == 15
    assert move.last["timestamp"] == NOW


def test_g18_what_was_acknowledged_is_never_refused_later_for_capacity() -> None:
    """G18: limits that would refuse all of it now, and a worker days late; every record counts."""
    tight = Limits(max_updates_per_request=1, max_update_count=1, max_requests_per_player=1, max_lag_seconds=1)
    body = batch(period(update(count="9"), update("COIN_FOUND", "9")), request_id="1")
    records = [
        sealed(n, body.replace(b'"requestId": "1"', b'"requestId": "%d"' % n), request_id=n, time_millis=NOW + 6 * DAY)
        for n in range(1, 5)
    ]
    plan = make_plan(flush_of(records, 1), Known(), tight)
    assert [] == causes(plan)
    assert {"LEVEL_UP": 36, "COIN_FOUND": 36} == plan.players["demo/ann"].totals
