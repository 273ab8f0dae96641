"""Rates, latency and history: what is remembered between two steps."""

from typing import Any

import pytest

from console.observer.facts import Silent
from console.observer.memory import RATE_MILLIS, VISIBLE_MILLIS
from console.observer.snapshot import HISTORY_POINTS, Point, TopicNow, Visible
from schemas.visible import quantile_seconds
from tests.console.observer.facts import checkpoint, lineage, mongodb, topic
from tests.console.observer.test_judge import Steps


def counted(following: int, **of: Any) -> Any:  # noqa: ANN401 facts
    return mongodb(checkpoint(0, following, **of))


def games(steps: Steps, found: Any, kafka: Any, later_millis: int = 2_000) -> TopicNow:  # noqa: ANN401 the same
    steps.at += later_millis
    return steps.step(found, kafka).topics[0]


def test_o5_rates_are_of_the_last_ten_seconds() -> None:
    """Not since the start, and unknown at the first step, which has nothing to compare with."""
    steps = Steps()
    first = games(steps, counted(10), topic((0, 20)))
    assert (None, None) == (first.accepted_per_second, first.counted_per_second)
    second = games(steps, counted(30), topic((0, 60)))
    assert (20.0, 10.0) == (second.accepted_per_second, second.counted_per_second)
    for _ in range(RATE_MILLIS // 2_000):
        last = games(steps, counted(30), topic((0, 60)))
    assert (0.0, 0.0) == (last.accepted_per_second, last.counted_per_second)


def test_a_silent_server_leaves_the_rate_of_the_other() -> None:
    """And after its return the rate is an average over its silence, never a burst."""
    steps = Steps()
    games(steps, counted(10), topic((0, 10)))
    silent = games(steps, Silent("x"), topic((0, 14)))
    assert (2.0, None) == (silent.accepted_per_second, silent.counted_per_second)
    games(steps, Silent("x"), topic((0, 14)), 20_000)
    back = games(steps, counted(34), topic((0, 14)))
    assert 1.0 == back.counted_per_second


@pytest.mark.parametrize(
    ("found", "kafka"),
    [
        (
            mongodb(checkpoint(0, 3, "records2"), lineages=[lineage(generation=2), lineage("pools")]),
            topic((0, 3), topic_id="records-2"),
        ),
        (mongodb(checkpoint(0, 3, "records2"), lineages=[lineage(generation=2)]), topic((0, 9), (0, 0), topic_id="x")),
    ],
)
def test_another_lineage_or_more_partitions_begin_anew(found: Any, kafka: Any) -> None:  # noqa: ANN401 the same
    """The difference to a counter of something else means nothing."""
    steps = Steps()
    games(steps, counted(100), topic((0, 100)))
    now = games(steps, found, kafka)
    assert (None, None, None) == (now.accepted_per_second, now.counted_per_second, now.visible)


def test_o5_the_latency_is_that_of_the_last_minute() -> None:
    """Without records in it there is none, and older workers write none."""
    steps = Steps()
    games(steps, counted(10, visible={"10000": 10}), topic((0, 10)))
    now = games(steps, counted(30, visible={"10000": 10, "100": 19, "250": 1}), topic((0, 30)))
    grown = {"100": 19, "250": 1}
    p50, p99 = quantile_seconds(grown, 0.5), quantile_seconds(grown, 0.99)
    assert p50 is not None
    assert p99 is not None
    assert Visible(p50, p99) == now.visible
    for _ in range(VISIBLE_MILLIS // 2_000 + 1):
        last = games(steps, counted(30, visible={"10000": 10, "100": 19, "250": 1}), topic((0, 30)))
    assert last.visible is None
    older = Steps()
    for following in (10, 20):
        now = games(older, counted(following), topic((0, following)))
    assert now.visible is None


def test_the_history_is_bounded_and_so_is_what_is_kept_for_rates() -> None:
    steps = Steps()
    for number in range(HISTORY_POINTS + 10):
        games(steps, counted(number), topic((0, number)))
    history = steps.memory.history
    assert {HISTORY_POINTS} == {len(history.at_millis), *map(len, history.points.values())}
    assert steps.at == history.at_millis[-1]
    assert Point(0.5, 0.5, 0.0) == history.points["games"][-1]
    assert VISIBLE_MILLIS // 2_000 + 1 >= max(map(len, steps.memory.counters.values()))
