"""The recount of `verify`, without any server."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from consumer.ports import TopicIdentity
from ops.topic import TopicNow
from ops.verify.check_requests import RequestCheck
from ops.verify.command import ranges_of
from ops.verify.games.recount import Recount
from ops.verify.order import Memory, Occurrence, is_possible
from ops.verify.reading import LogRecord, Reading, Rules, read
from ops.verify.report import (
    Differences,
    Range,
    Report,
    Tally,
    as_json,
    as_text,
    checkpoint_compared,
    counts_compared,
    player_name,
)
from ops.verify.sources import minutes_of
from schemas.definitions import Definition, DefinitionTerm
from schemas.documents import utc
from schemas.games.body import EventUpdateFailureCause
from schemas.games.judging import Judgement
from schemas.settings import Limits, LimitSettings
from tests.samples import DAY, HOUR, KEYS, MINUTE, NOW, batch, period, sealed, update

WINDOW = 7 * DAY
DECLARED = Definition(
    app="demo", definition_id="LEVEL_UP", default_language="en", names={"en": "x"}, declared_at=utc(NOW - DAY)
)
RULES = Rules(KEYS, Limits(), {"demo": [DECLARED]})


def record(
    offset: int, body: bytes, *, time_millis: int = NOW, request_id: int = 1, judgement: Judgement | None = None
) -> LogRecord:
    made = sealed(offset, body, time_millis=time_millis, request_id=request_id, judgement=judgement)
    return LogRecord(offset, time_millis, made.key, made.value, made.headers)


def raw(body: bytes, key: bytes = b"demo/ann") -> LogRecord:
    return LogRecord(0, NOW, key, body, ())


# Reading.


def test_a_sealed_record_adds_what_the_ingress_left_of_it() -> None:
    """By event and minute of the period's start; refused updates add nothing."""
    body = batch(period(update(count="3"), update("GONE")), period(update(), start=NOW - 2 * HOUR), request_id="7")
    judgement = Judgement(updates=((0, 1, EventUpdateFailureCause.NOT_FOUND),))
    found = read(record(0, body, request_id=7, judgement=judgement), RULES)
    minute = (NOW - HOUR) // MINUTE
    assert (
        Reading("countable", "demo", "demo/ann", "demo/ann/7", {("LEVEL_UP", minute): 3, ("LEVEL_UP", minute - 60): 1})
        == found
    )


def test_a_shifted_clock_moves_the_minutes() -> None:
    """The ingress decided the shift; it is added to every period."""
    found = read(record(0, batch(period(update())), judgement=Judgement(shift_millis=-HOUR)), RULES)
    assert found.sums == {("LEVEL_UP", (NOW - 2 * HOUR) // MINUTE): 1}


def test_a_raw_record_is_judged_by_the_definitions_of_its_time() -> None:
    """Declared a day ago: yes. Retired since, or undeclared: no."""
    body = batch(period(update()))
    assert "countable" == read(raw(body), RULES).kind
    assert "refused" == read(raw(body, b"other/ann"), RULES).kind
    retired = DECLARED.model_copy(update={"retired_at": utc(NOW - 1)})
    assert "refused" == read(raw(body), Rules(KEYS, Limits(), {"demo": [retired]})).kind


def test_a_raw_record_is_judged_by_its_apps_limits() -> None:
    """As the worker has done: else a recount would differ for every app that has its own."""
    limits = LimitSettings.model_validate({"apps": {"demo": {"max_update_count": 2}, "other": {"max_update_count": 1}}})
    rules = Rules(KEYS, limits, {app: [DECLARED] for app in ("demo", "other")})
    body = batch(period(update(count="2")))
    assert ["countable", "refused"] == [read(raw(body, key), rules).kind for key in (b"demo/ann", b"other/ann")]


def test_g12_a_raw_record_of_before_its_event_was_declared_again_counts() -> None:
    """Its time is one of the earlier ones; verify agrees with the worker."""
    earlier = (DefinitionTerm(declared_at=utc(NOW - DAY), retired_at=utc(NOW + 1)),)
    again = DECLARED.model_copy(update={"declared_at": utc(NOW + DAY), "earlier": earlier})
    body = batch(period(update()))
    assert "countable" == read(raw(body), Rules(KEYS, Limits(), {"demo": [again]})).kind
    lost = again.model_copy(update={"earlier": ()})
    assert "refused" == read(raw(body), Rules(KEYS, Limits(), {"demo": [lost]})).kind


@pytest.mark.parametrize("found", [raw(b"\xff\x00"), raw(b"[]"), raw(b"{}"), raw(batch(), b"nobody"), raw(b"")])
def test_what_nobody_can_read_is_dead(found: LogRecord) -> None:
    """Bytes, another shape, no owner."""
    assert "dead" == read(found, RULES).kind


def test_a_batch_with_nothing_in_it_is_refused() -> None:
    """Readable, and adds nothing."""
    assert "refused" == read(record(0, batch()), RULES).kind


# Which of several counts.


def at(stream: int, offset: int, days: float, fate: str) -> Occurrence:
    return Occurrence(stream, offset, int(days * DAY), fate == "applied")


@pytest.mark.parametrize(
    ("expected", "streams"),
    [
        (True, [[at(0, 0, 0, "applied"), at(0, 1, 1, "duplicate")]]),
        (False, [[at(0, 0, 0, "duplicate"), at(0, 1, 1, "applied")]]),
        (False, [[at(0, 0, 0, "applied"), at(0, 1, 1, "applied")]]),
        (True, [[at(0, 0, 0, "applied"), at(0, 1, 8, "applied")]]),
        (False, [[at(0, 0, 0, "applied"), at(0, 1, 8, "duplicate")]]),
        (True, [[at(0, 0, 0, "duplicate")], [at(1, 0, 1, "applied")]]),
        (True, [[at(0, 0, 0, "applied")], [at(1, 0, 1, "duplicate")]]),
        (False, [[at(0, 0, 0, "applied")], [at(1, 0, 1, "applied")]]),
        (False, [[at(0, 0, 0, "duplicate")], [at(1, 0, 1, "duplicate")]]),
        # 0 d and 5 d race for the first place; what 9 d is follows from who won.
        (True, [[at(0, 0, 0, "applied"), at(0, 1, 9, "applied")], [at(1, 0, 5, "duplicate")]]),
        (True, [[at(0, 0, 0, "duplicate"), at(0, 1, 9, "duplicate")], [at(1, 0, 5, "applied")]]),
        (False, [[at(0, 0, 0, "duplicate"), at(0, 1, 9, "applied")], [at(1, 0, 5, "applied")]]),
    ],
)
def test_what_counted_is_held_against_every_order(expected: bool, streams: Sequence[Sequence[Occurrence]]) -> None:  # noqa: FBT001
    """Each partition in its own order, the partitions in any."""
    assert expected == is_possible(streams, WINDOW, Memory())


def test_what_is_gone_from_the_log_may_have_counted() -> None:
    """Then a first duplicate is no wonder, but two that counted in one window still are."""
    unknown = Memory(unknown=True)
    assert is_possible([[at(0, 5, 0, "duplicate"), at(0, 6, 1, "duplicate")]], WINDOW, unknown)
    assert not is_possible([[at(0, 5, 0, "applied"), at(0, 6, 1, "applied")]], WINDOW, unknown)


# The sums.


def two_ranges(*, whole: bool = True) -> list[Range]:
    return [Range(f"r1/0{n}", "topic", 0, 0 if whole else 1, 9, whole=whole) for n in range(2)]


def recounted(*told: tuple[int, LogRecord, str | None], whole: bool = True) -> tuple[Recount, Differences]:
    """A recount of (partition, record, its fate in MongoDB)."""
    differences = Differences()
    recount = Recount(two_ranges(whole=whole), WINDOW, differences)
    for stream, found, says in told:
        recount.add(stream, found, read(found, RULES), says)
    recount.settle()
    return recount, differences


def counting(offset: int, count: int = 1, request_id: int = 1) -> LogRecord:
    return record(offset, batch(period(update(count=str(count))), request_id=str(request_id)), request_id=request_id)


def test_a_repeat_counts_nothing() -> None:
    """The first of the partition does."""
    recount, differences = recounted((0, counting(0, 5), "applied"), (0, counting(1, 5), "duplicate"))
    assert (0, Counter({("demo/ann", "LEVEL_UP"): 5})) == (differences.total, recount.players)
    assert {("r1/00", "demo", "LEVEL_UP", (NOW - HOUR) // MINUTE): 5} == recount.minutes
    assert {"applied": 1, "duplicate": 1, "refused": 0, "dead": 0} == recount.fates.tallies[0].fates


def test_mongodb_says_which_of_two_partitions_counted() -> None:
    """Their payloads may differ, so it matters."""
    recount, differences = recounted((0, counting(0, 5), "duplicate"), (1, counting(0, 7), "applied"))
    assert (0, {("demo/ann", "LEVEL_UP"): 7}) == (differences.total, recount.players)
    assert [(1, 0), (0, 1)] == [(t.fates["duplicate"], t.fates["applied"]) for t in recount.fates.tallies]


def test_an_id_that_counted_twice_is_named() -> None:
    """And the sums are the correct ones."""
    recount, differences = recounted((0, counting(0, 5), "applied"), (1, counting(3, 5), "applied"))
    assert {("demo/ann", "LEVEL_UP"): 5} == recount.players
    found, expected = "counted at r1/00/0, r1/01/3", "counted once in 604800 s"
    assert [f"requestId demo/ann/1: found {found}, expected {expected}"] == [str(one) for one in differences.shown]


def test_a_fate_that_does_not_fit_the_record_is_named() -> None:
    """Garbage that 'counted', a good batch that was 'refused'."""
    garbage = LogRecord(4, NOW, b"x", b"\xff", ())
    recount, differences = recounted((0, garbage, "applied"), (0, counting(5), "refused"))
    assert [("r1/00/4", "dead", "applied"), ("r1/00/5", "applied or duplicate", "refused")] == [
        (one.where, one.expected, one.found) for one in differences.shown
    ]
    assert {"applied": 1, "duplicate": 0, "refused": 0, "dead": 1} == recount.fates.tallies[0].fates


def test_a_readable_record_that_mongodb_could_not_hold_was_set_aside() -> None:
    """It counts nothing and is no difference; its id may count later."""
    recount, differences = recounted((0, counting(0, 5), "dead"), (0, counting(1, 5), "applied"))
    assert (0, 1, {("demo/ann", "LEVEL_UP"): 5}) == (differences.total, recount.fates.set_aside, recount.players)


def test_past_the_life_of_exceptions_the_log_alone_decides() -> None:
    """MongoDB no longer has the fate of so old a record."""
    recount, differences = recounted((0, counting(0, 5), None), (0, counting(1, 5), None))
    assert (0, {("demo/ann", "LEVEL_UP"): 5}) == (differences.total, recount.players)


def test_where_records_are_gone_a_first_duplicate_is_believed() -> None:
    """Its first record may have been removed."""
    recount, differences = recounted((0, counting(3, 5), "duplicate"), whole=False)
    assert (0, {}) == (differences.total, recount.players)
    assert 1 == recounted((0, counting(3, 5), "duplicate"))[1].total


# What is remembered.


def checked(document: dict[str, Any] | None, says: str = "applied", time_millis: int = NOW) -> list[str]:
    differences = Differences()
    request_check = RequestCheck(two_ranges(), 7 * DAY, WINDOW, NOW + HOUR, differences)
    found = counting(3)
    old = LogRecord(3, time_millis, found.key, found.value, found.headers)
    recount = Recount(two_ranges(), WINDOW, differences)
    recount.add(0, old, read(old, RULES), says)
    request_check.check(0, old, read(old, RULES), says, document)
    request_check.settle(recount.requests)
    return [one.found for one in differences.shown]


def test_an_id_must_be_remembered_for_as_long_as_it_is_kept() -> None:
    """By dedupe_window + retention for one that counted."""
    assert [] == checked({"from": "r1/00/3", "at": utc(NOW)})
    assert ["nothing"] == checked(None)
    assert ["nothing"] == checked(None, time_millis=NOW - 13 * DAY)
    assert [] == checked(None, time_millis=NOW - 14 * DAY)


def test_an_id_points_to_a_record_that_counted() -> None:
    """Within the recount or after it; not to one that didn't count, nor with another time."""
    assert ["from r1/00/3"] == checked({"from": "r1/00/3", "at": utc(NOW)}, "duplicate")
    assert [f"at {utc(NOW + 1)}"] == checked({"from": "r1/00/3", "at": utc(NOW + 1)})
    assert ["from r1/01/2"] == checked({"from": "r1/01/2", "at": utc(NOW)})
    assert [] == checked({"from": "r1/01/9", "at": utc(NOW)})
    assert [] == checked({"from": "r2/00/0", "at": utc(NOW)})


# Ranges and comparison.

LINEAGE = {"_id": "r1", "topic": "t", "generation": 1, "cluster": "c", "topicId": "1"}


def range_of(
    start: int, following: int, bounds: tuple[int, int], topic_id: str = "1", cut_at: int | None = None
) -> Range:
    checkpoint = {"_id": "r1/00", "start": start, "next": following}
    topics = {"t": TopicNow(TopicIdentity("c", "t", topic_id), {0: bounds})}
    cuts = {} if cut_at is None else {"r1/00": cut_at}
    (found,) = ranges_of([LINEAGE], {"r1/00": checkpoint}, topics, cuts)
    return found


def test_the_range_is_what_was_applied_and_is_still_there() -> None:
    """Whole from the checkpoint's start; else what retention, or the topic's end, has left."""
    assert Range("r1/00", "t", 2, 2, 9, whole=True) == range_of(2, 9, (0, 12))
    gone = range_of(2, 9, (5, 12))
    assert (5, False, "offsets 2 to 4 are no longer in the log") == (gone.first, gone.whole, gone.note)
    assert (9, False) == (range_of(2, 9, (11, 12)).first, range_of(2, 9, (11, 12)).whole)
    another = range_of(2, 9, (0, 12), topic_id="2")
    assert (9, False, "the topic is missing or another one") == (another.first, another.whole, another.note)
    assert range_of(4, 4, (9, 12), topic_id="2").whole, "nothing was applied, so nothing is missing"


def test_a_log_that_was_cut_is_not_recounted() -> None:
    """It may hold other records now, at offsets that were counted."""
    for bounds in ((0, 5), (0, 12)):
        found = range_of(0, 9, bounds, cut_at=5)
        assert (9, False, "the log was cut") == (found.first, found.whole, found.note)


def test_counts_are_compared_to_the_unit_or_as_at_least() -> None:
    """At least: where records are gone, MongoDB rightly holds more."""
    expected, found = {("a", "X"): 3, ("b", "X"): 3, ("c", "X"): 1}, {("a", "X"): 4, ("b", "X"): 2, ("d", "X"): 1}

    def compared(*, whole: bool) -> list[str]:
        return [str(one) for one in counts_compared("players", expected, found, lambda _: whole, player_name)]

    assert [
        "players a, X: found 4, expected 3",
        "players b, X: found 2, expected 3",
        "players c, X: found 0, expected 1",
        "players d, X: found 1, expected 0",
    ] == compared(whole=True)
    assert [
        "players b, X: found 2, expected at least 3",
        "players c, X: found 0, expected at least 1",
    ] == compared(whole=False)


def test_fates_and_gaps_of_a_checkpoint_are_compared() -> None:
    """To the unit for a whole range; they add up in any case."""
    tally = Tally({"applied": 5, "duplicate": 1, "refused": 0, "dead": 0})
    covered = Range("r1/00", "t", 0, 0, 9, whole=True)

    def compared(gaps: int = 3, **fates: int) -> list[str]:
        checkpoint = {"fates": {**tally.fates, **fates}, "gaps": gaps}
        return [one.where for one in checkpoint_compared(covered, tally, checkpoint)]

    assert [] == compared()
    assert ["r1/00, gaps", "r1/00, fates and gaps"] == compared(gaps=4)
    assert ["r1/00, applied", "r1/00, duplicate"] == compared(applied=6, duplicate=0)
    part = Range("r1/00", "t", 0, 4, 9, whole=False)
    fewer = {"fates": {**tally.fates, "applied": 4, "duplicate": 2}, "gaps": 3}
    assert ["r1/00, applied"] == [one.where for one in checkpoint_compared(part, tally, fewer)]


def test_an_hour_reads_as_its_minutes() -> None:
    """By the partition in its `_id`."""
    hour = {"_id": "h/demo/games/A/r2/03", "hour": datetime(1970, 1, 1, 1, tzinfo=UTC), "app": "demo", "event": "A"}
    assert {("r2/03", "demo", "A", 60): 1, ("r2/03", "demo", "A", 67): 2} == minutes_of(
        {**hour, "minutes": {"00": 1, "07": 2}}
    )


def test_a_partition_without_records_has_no_offsets() -> None:
    """And no last one that is before the first."""
    text = as_text(Report([Range("r1/00", "t", 7, 7, 7, whole=True)], [Tally()], Differences(), 0, 0.1))
    assert text.startswith("r1/00 of t: no offsets, 0 records: 0 applied")


def test_a_report_names_the_first_difference_and_counts_the_rest() -> None:
    """Twenty are shown, after the range."""
    differences = Differences()
    for one in counts_compared("players", {("a", str(n)): 1 for n in range(30)}, {}, lambda _: True, player_name):
        differences.add(one)
    report = Report([Range("r1/00", "t", 0, 0, 9, whole=True)], [Tally()], differences, 0, 0.1)
    text = as_text(report).splitlines()
    assert text[0].startswith("r1/00 of t: offsets 0 to 8, 0 records: 0 applied")
    assert ["players a, 0: found 0, expected 1", "... and 10 more", "30 differences"] == [text[1], *text[-2:]]
    told = as_json(report)
    assert (30, 20, "a, 0", True) == (told["differences"], len(told["shown"]), told["first"]["where"], told["whole"])
