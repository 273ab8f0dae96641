"""The figures by themselves: a ledger and a timeline made by hand, and what must come of them."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.cluster.report.figures import NEVER, figures_of, longest_waits, slowest_ack, waits_of
from tests.faults.cluster.report.table import HEADER, Row, with_row
from tests.faults.cluster.report.timeline import Probe, Timeline
from tests.faults.cluster.stage.checker import Stored, judge
from tests.faults.cluster.stage.load import Ledger, note_answer
from tests.faults.cluster.stage.logs import said_of, told, unpaired
from tests.faults.cluster.stage.requests import (
    BASE,
    DIGITS,
    PLAYERS,
    Api,
    Sent,
    analytics_requests,
    games_requests,
    times_counted,
    title_of,
)
from tests.faults.cluster.stage.scene import problems

NOW_MILLIS = 1_790_000_000_000
APIS: dict[str, Api] = {"records": "games", "pools": "analytics"}


def sent(number: int, *, first: float = 0.0, acked: float | None = 1.0, offset: int = 0) -> Sent:
    """A batch whose record is in r1/0."""
    made = next(one for one in games_requests(NOW_MILLIS) if one.number == number)
    made.first_at, made.acked_at = first, acked
    made.where = ("r1", 0, offset) if acked is not None else None
    return made


def test_digits_of_a_total_say_how_often_each_batch_counted() -> None:
    assert [0, 2, 1, 0, 0, 0, 0, 0, 0, 3] == times_counted(2 * BASE + BASE**2 + 3 * BASE**9)


def test_batches_of_one_player_are_digits_of_their_own() -> None:
    """And the next ten are another player's."""
    made = [one for one, _ in zip(games_requests(NOW_MILLIS), range(PLAYERS * DIGITS * 2), strict=False)]
    digits = {(one.player, one.digit) for one in made}
    assert len(made) == len(digits)
    assert all(one.weight == BASE**one.digit for one in made)


def test_a_record_waits_until_its_checkpoint_is_past_it() -> None:
    positions = [(2.0, {("r1", 0): 5}), (1.0, {("r1", 0): 3}), (4.0, {("r1", 0): 4}), (9.0, {("r1", 0): 6})]
    waits = waits_of([sent(0, offset=2), sent(1, offset=4), sent(2, offset=5), sent(3, offset=6)], positions)
    assert [1.0, 2.0, 9.0, NEVER] == [wait.until for wait in waits]
    assert {("r1", 0): NEVER} == longest_waits(waits, 3.0)
    assert {("r1", 0): 6.0} == longest_waits(waits[:3], 3.0)


def test_an_ack_is_waited_for_from_the_first_attempt_or_the_mark() -> None:
    ledger = [sent(0, first=0.0, acked=9.0), sent(1, first=6.0, acked=8.0), sent(2, first=1.0, acked=3.0)]
    assert 4.0 == slowest_ack(ledger, mark=5.0)
    assert NEVER == slowest_ack([*ledger, sent(3, acked=None)], mark=5.0)


def test_lost_and_doubled_requests_are_found() -> None:
    ledger = Ledger([sent(0), sent(1), sent(2, acked=None), sent(PLAYERS)])
    pool = next(analytics_requests(NOW_MILLIS))
    pool.acked_at = 1.0
    ledger.sent.append(pool)
    minutes = Counter({(ledger.sent[0].minute, "LEVEL_UP"): 2, (ledger.sent[3].minute, "LEVEL_UP"): BASE})
    pools = Counter({(pool.minute, title_of(0)): 1})
    verdict = judge(ledger, Stored({"p0-0": 2 + BASE}, Counter({0: 1}), minutes, pools))
    assert [1, 0] == [one.number for one in verdict.lost]
    assert [0] == [one.number for one in verdict.double]
    assert [] == verdict.wrong
    assert 1 == verdict.open


def test_a_minute_that_no_request_explains_is_wrong() -> None:
    stored = Stored({"p0-0": 1}, Counter(), Counter({(7, "LEVEL_UP"): 1}), Counter())
    assert 2 == len(judge(Ledger([sent(0)]), stored).wrong)


def test_a_lag_of_zero_is_untrue_while_records_wait() -> None:
    """A lag that no process reports is missing."""
    zero, none = {("games", 0): 0.0}, dict[tuple[str, int], float]()
    timeline = Timeline(topics={"r1": "records"})
    timeline.positions = [(0.0, {("r1", 0): 0}), (21.0, {("r1", 0): 1})]
    timeline.probes = [Probe(float(at), "worker-1", 200, 200, zero if at < 11 else none) for at in range(25)]
    figures = figures_of([sent(0)], timeline, 0.0, APIS)
    assert 20.0 == figures.counts
    assert 4.0 == figures.untrue_lag
    assert 10.0 == figures.missing_lag
    assert 0.0 == figures.untrue_livez
    assert {200: 24.0} == figures.livez["worker-1"]


def test_alive_is_untrue_where_records_have_waited_for_over_a_minute() -> None:
    timeline = Timeline(topics={"r1": "records"})
    timeline.probes = [Probe(float(at), "worker-1", 200, 200, {}) for at in range(101)]
    assert 23.0 == figures_of([sent(0)], timeline, 0.0, APIS).untrue_livez


def test_a_log_tells_its_outages_and_no_library() -> None:
    lost = '{"event": "Kafka lost", "level": "warning", "error": "no broker answers"}\n'
    private = '{"event": "fetch failed", "level": "warning", "error": "KafkaConnectionError: no"}\n'
    info = '{"event": "partitions_assigned", "level": "info"}\n'
    said = said_of(lost * 2 + private + info)
    assert "Kafka lost x2; fetch failed x1" == told([said])
    assert [private.strip()] == said.private


def test_an_outage_that_ends_has_begun() -> None:
    lost, back = '{"event": "kafka_lost", "level": "warning"}\n', '{"event": "kafka_back", "seconds": 3}\n'
    assert [] == unpaired(said_of(lost + lost + back))
    assert ["kafka_back x2, but kafka_lost x1"] == unpaired(said_of(lost + back + back))


WELL = {"slowest_ack": 1.0, "counts": 1.0, "slowest_partition": ("r1", 0), "untrue_lag": 0.0, "untrue_livez": 0.0}


@pytest.mark.parametrize(
    ("figures", "log", "words"),
    [
        ({}, "", []),
        ({"slowest_ack": 99.0}, "", ["a request waited 99.0 s for its ack"]),
        ({"counts": 99.0}, "", ["waited 99.0 s for its count"]),
        ({"counts": None}, "", []),
        ({"untrue_lag": 99.0}, "", ["lag 0 was claimed for 99 s"]),
        ({"untrue_livez": 99.0}, "", ["/livez 200 of workers for 99 s"]),
        ({}, '{"event": "kafka_back", "seconds": 3}', ["log of worker-1: kafka_back x1, but kafka_lost x0"]),
        ({}, "Traceback (most recent call last):", ["log: Traceback"]),
    ],
)
def test_whatever_is_not_as_promised_fails_a_fault(figures: dict[str, Any], log: str, words: list[str]) -> None:
    verdict = SimpleNamespace(excused=False, lost=[], double=[], refused=[], false_duplicates=[], open=0, wrong=[])
    outcome: Any = SimpleNamespace(
        verdict=verdict, figures=SimpleNamespace(**{**WELL, **figures}), said={"worker-1": said_of(log)}
    )
    found = problems(outcome)
    assert len(words) == len(found)
    assert all(expected in told for expected, told in zip(words, found, strict=True))


def test_an_answer_is_written_down_as_it_was_given() -> None:
    one = next(games_requests(NOW_MILLIS))
    failures = '{"batchFailures": [{"failureCause": "ALREADY_UPDATED"}]}'
    note_answer(one, 200, {"Tallymill-Receipt": "r1.3.1234.1790000000000.mac"}, failures)
    assert (one.duplicate, one.where, one.refused) == (True, ("r1", 3, 1234), "")
    other = next(games_requests(NOW_MILLIS))
    note_answer(other, 200, {}, '{"batchFailures": [{"failureCause": "RECORD_RATE_HIGH"}]}')
    assert other.acked_at is None
    assert other.refused.startswith("200")


def test_a_row_replaces_that_of_its_fault_and_no_other() -> None:
    page = "# Page\n<!-- now: written by make faults -->\n<!-- now ends -->\nrest\n"
    for fault, cell in (("a", "1"), ("b", "2"), ("a", "3")):
        page = with_row(page, "now", Row(fault, (cell,)), "two cores")
    assert HEADER in page
    assert ["| a | 3 |", "| b | 2 |"] == [line for line in page.splitlines() if line.startswith(("| a", "| b"))]
    assert page.endswith("<!-- now ends -->\nrest\n")
