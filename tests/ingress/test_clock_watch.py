"""By how much a clock is certainly off, and which clock."""

from hypothesis import given
from hypothesis import strategies as st

from ingress.clock_probe import BETWEEN_ACKS_MILLIS, WatchedPublisher
from ingress.clock_watch import (
    KNOWN_SECONDS,
    RIGHT_SECONDS,
    SAME_SKEW_SECONDS,
    WARN_SECONDS,
    ClockNews,
    ClockWatch,
    Line,
    Skews,
    Source,
    Stamped,
)
from ingress.memory import MemoryTopic
from ingress.ports import Position
from tests.clock import TestClock
from tests.ingress.rig import NOW, Rig, batch, period, update

MILLIS = st.integers(0, 120_000)


def answer(skew: float, takes: float = 0.01) -> Stamped:
    """An answer of a server whose clock reads NOW, timed by a clock that is ahead by `skew` seconds."""
    return Stamped(
        NOW + round((skew - takes / 2) * 1000),
        NOW + round((skew + takes / 2) * 1000),
        NOW,
    )


def watch(*answers: tuple[Source, float], tolerance: float = 30) -> ClockWatch:
    watched = ClockWatch(tolerance)
    for place, (source, skew) in enumerate(answers):
        watched.measured(source, answer(skew), 0, place)
    return watched


@given(skew=st.integers(-(10**7), 10**7), spans=st.lists(st.tuples(MILLIS, MILLIS), min_size=1))
def test_what_is_reported_is_never_more_than_the_truth(skew: int, spans: list[tuple[int, int]]) -> None:
    """However slow the answers, and wherever in between the server stamped them."""
    watched = ClockWatch(30)
    for before, after in spans:
        watched.measured("kafka", Stamped(NOW + skew - before, NOW + skew + after, NOW), 0)
    found = round(watched.skews(0).by_source["kafka"] * 1000)
    assert abs(found) <= abs(skew)
    assert found * skew >= 0
    assert abs(skew) - abs(found) <= max(min(before for before, _ in spans), min(after for _, after in spans))


@given(st.lists(st.tuples(MILLIS, MILLIS)))
def test_right_clocks_are_never_said_to_be_off(spans: list[tuple[int, int]]) -> None:
    """No ack is so slow that it would be taken for a skew."""
    watched, news = ClockWatch(0.001), ClockNews()
    for before, after in spans:
        watched.measured("kafka", Stamped(NOW - before, NOW + after, NOW), 0)
        assert [] == news.lines(watched.skews(0))
        assert watched.is_within(0)


def test_a_slow_answer_does_not_hide_what_a_quick_one_has_shown() -> None:
    """Ten seconds of waiting say nothing of nine seconds of skew."""
    watched = watch(("kafka", 9.0))
    watched.measured("kafka", answer(9.0, takes=20), 1, 0)
    assert 8.9 < watched.skews(1).own <= 9.0


def test_a_clock_that_was_set_right_is_right_at_the_next_answer() -> None:
    """And one that was set wrong, wrong."""
    watched = watch(("kafka", 600.0))
    assert not watched.is_within(0)
    watched.measured("kafka", answer(0.0), 1, 0)
    assert watched.is_within(1)
    watched.measured("kafka", answer(-600.0), 2, 0)
    assert not watched.is_within(2)


def test_a_clock_that_drifts_is_followed() -> None:
    """What was measured before limits for some seconds only."""
    watched = watch(("kafka", 1.0))
    watched.measured("kafka", answer(1.004), SAME_SKEW_SECONDS, 0)
    assert watched.skews(SAME_SKEW_SECONDS).own > 0.998


def test_what_was_measured_long_ago_is_not_known_and_a_verdict_stays_until_the_next() -> None:
    """Unknown is neither right nor wrong: a clock that was off is off until a server shows otherwise."""
    watched = watch(("mongodb", 600.0))
    assert {} == watched.skews(KNOWN_SECONDS + 1).by_source
    assert not watched.is_within(KNOWN_SECONDS + 1)
    assert watch().is_within(0)


def test_one_server_whose_clock_is_off_takes_no_ingress_out() -> None:
    """Three clocks, of which two agree: the third is named."""
    for off, other in (("kafka", "mongodb"), ("mongodb", "kafka")):
        watched = watch((off, 600.0), (other, 0.0))  # type: ignore[arg-type]  # a Source each
        assert watched.is_within(0)
        (line,) = ClockNews().lines(watched.skews(0))
        assert line.event == "clock_off"
        assert (line.whose.lower(), round(line.seconds)) == (off, -600)


def test_one_broker_whose_clock_is_off_is_outvoted() -> None:
    """The median of the partitions: each has its leader's clock."""
    watched = watch(("kafka", 600.0), ("kafka", 0.0), ("kafka", 0.0))
    assert abs(watched.skews(0).own) < WARN_SECONDS


def test_a_clock_that_is_off_is_two_lines() -> None:
    """Off, and right again, however often it is checked, and whatever it does near the limit."""
    news = ClockNews()

    def lines(skew: float) -> list[Line]:
        return news.lines(Skews({"kafka": skew, "mongodb": skew}))

    told = [line for skew in (0.0, 3.0, WARN_SECONDS - 0.1, 3.0, 600.0, 0.5, 0.5) for line in lines(skew)]
    assert [("clock_off", "this machine"), ("clock_right", "this machine")] == [(one.event, one.whose) for one in told]
    assert "Kafka and MongoDB" == told[0].against
    assert RIGHT_SECONDS < WARN_SECONDS
    assert [] == news.lines(Skews({}))


async def test_an_ingress_whose_clock_is_beyond_the_tolerance_is_not_ready(rig: Rig) -> None:
    """/readyz and a metric show it. Requests that still arrive are served."""
    assert 200 == (await rig.call("GET", "/readyz")).status
    rig.clocks.measured("mongodb", answer(31.0), rig.clock.monotonic_seconds())
    refused = await rig.call("GET", "/readyz")
    assert (503, ["clock"]) == (refused.status, refused.json["missing"])
    assert (rig.metric("clock_skew_seconds", server="mongodb") or 0) > 30
    assert 200 == (await rig.post(batch(period(update())))).status


async def test_acks_are_compared_ten_times_a_second_and_at_once_after_a_clock_was_set() -> None:
    """A partition each: brokers have clocks of their own."""
    clock, watched, stamped = TestClock(), ClockWatch(30), [0]

    class Acks(MemoryTopic):
        async def publish(self, key: bytes, *_record: object) -> Position:
            return Position(int(key), 0, stamped[0])

    publisher = WatchedPublisher(Acks(), watched, clock)

    async def skew(key: bytes, ahead_millis: int) -> float:
        """After one ack whose time is so much behind this machine's."""
        stamped[0] = clock.wall_millis() - ahead_millis
        await publisher.publish(key, [], b"")
        return watched.skews(clock.monotonic_seconds()).by_source["kafka"]

    assert 0 == await skew(b"0", 0)
    assert 0 == await skew(b"0", 60_000)
    assert 30 == await skew(b"1", 60_000)
    clock.now_millis += BETWEEN_ACKS_MILLIS
    assert 60 == await skew(b"0", 60_000)
    clock.now_millis -= 50_000
    assert 35 == await skew(b"0", 10_000)
