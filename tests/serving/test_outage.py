"""An outage is one line lost and one back, however many parts of a process see it, and however often."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from serving.outage import REPEAT_SECONDS, STEADY_SECONDS, Outage


class Time:
    """A clock, and the calls that are due later."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.seconds

    def later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], object]:
        entry = (self.seconds + seconds, callback)
        self._due.append(entry)
        return lambda: self._due.remove(entry)

    def passes(self, seconds: float) -> None:
        self.seconds += seconds
        for entry in [entry for entry in self._due if entry[0] <= self.seconds]:
            self._due.remove(entry)
            entry[1]()


def test_two_parts_share_an_outage_and_its_two_lines() -> None:
    now = Time()
    outage = Outage("kafka", now, now.later)
    with capture_logs() as logs:
        outage.back("games")  # it was never lost
        outage.lost("games", "no ack", seconds_ago=5)
        outage.lost("analytics", "refused")
        now.passes(10)
        outage.back("games")
        outage.lost("analytics", "refused")
        outage.back("analytics")
        now.passes(STEADY_SECONDS)
    assert [(line["event"], line.get("reason"), line["seconds"]) for line in logs] == [
        ("kafka_lost", "no ack", 5),
        ("kafka_back", None, 15),
    ]


def test_calls_that_fail_and_succeed_in_turns_are_one_outage() -> None:
    """As they do while some of the partitions have no leader."""
    now = Time()
    outage = Outage("kafka", now, now.later)
    with capture_logs() as logs:
        for _ in range(100):
            outage.lost("fetch", "partition 3 has no leader")
            now.passes(0.2)
            outage.back("fetch")
            now.passes(0.2)
        now.passes(STEADY_SECONDS)
    assert [(line["event"], line["seconds"]) for line in logs] == [("kafka_lost", 0), ("kafka_back", 39.8)]


def test_another_cause_is_said_later_and_not_at_each_try() -> None:
    now = Time()
    outage = Outage("kafka", now, now.later)
    with capture_logs() as logs:
        for second in range(3 * REPEAT_SECONDS):
            now.seconds = second
            outage.lost("games", "refused" if second < REPEAT_SECONDS else f"try {second}")
    assert [line["event"] for line in logs] == ["kafka_lost", "kafka_outage_continues", "kafka_outage_continues"]


def test_a_server_is_up_once_it_was_used_until_a_part_loses_it() -> None:
    """Not before: nothing is known then. It is up as soon as all parts can use it, before the log says so."""
    now = Time()
    outage, seen = Outage("kafka", now, now.later), list[bool]()
    with capture_logs():
        seen.append(outage.is_up)
        outage.back("games")
        seen.append(outage.is_up)
        for part in ("games", "analytics"):
            outage.lost(part, "no ack")
            seen.append(outage.is_up)
        for part in ("games", "analytics"):
            outage.back(part)
            seen.append(outage.is_up)
    assert [False, True, False, False, False, True] == seen


def test_it_is_known_how_long_a_server_is_lost() -> None:
    """From when the first part lost it, until no part lacks it."""
    now = Time()
    outage, seen = Outage("kafka", now, now.later), list[float]()
    with capture_logs():
        seen.append(outage.lost_seconds)
        outage.lost("games", "no ack", 2)
        now.seconds += 3
        outage.lost("analytics", "no ack")
        seen.append(outage.lost_seconds)
        outage.back("games")
        seen.append(outage.lost_seconds)
        outage.back("analytics")
        seen.append(outage.lost_seconds)
    assert [0, 5, 5, 0] == seen


steps = st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 10)), max_size=30)


@given(steps)
def test_lines_take_turns_whatever_happens(happened: list[tuple[str, bool, float]]) -> None:
    now = Time()
    outage = Outage("kafka", now, now.later)
    lost: set[str] = set()
    with capture_logs() as logs:
        for part, is_lost, seconds in happened:
            now.passes(seconds)
            if is_lost:
                outage.lost(part, "the same")
                lost.add(part)
            else:
                outage.back(part)
                lost.discard(part)
            assert outage.lasts == bool(lost)
        now.passes(STEADY_SECONDS)
    events = [line["event"] for line in logs]
    assert events == [("kafka_lost", "kafka_back")[number % 2] for number in range(len(events))]
    assert bool(lost) == (len(events) % 2 == 1)
