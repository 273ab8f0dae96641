"""Metrics of the hot path show what those of prometheus_client show."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from serving.hot_metrics import SECONDS_BUCKETS, HotAnswers, HotCounter, HotHistogram

BUCKETS = (0.002, 0.5, 1)
VALUES = st.lists(st.sampled_from([0.0, 0.001, 0.002, 0.0021, 0.5, 0.75, 1.0, 1.5]), max_size=20)


def shown(registry: CollectorRegistry) -> list[str]:
    """The text that is scraped, without the times at which prometheus_client's own metrics were made."""
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([200, 404])), max_size=20), st.integers(0, 3))
def test_a_counter_shows_what_was_counted(events: list[tuple[str, int]], number: int) -> None:
    """With labels each that was counted, without any also what was not."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    by_label = HotCounter("x_requests", "Requests.", ("route", "code"), ours)
    expected = Counter("x_requests", "Requests.", ("route", "code"), registry=theirs)
    plain, expected_plain = HotCounter("y", "Y.", (), ours), Counter("y", "Y.", registry=theirs)
    for route, code in events:
        by_label.inc(route, code)
        expected.labels(route, str(code)).inc()
    for _ in range(number):
        plain.inc()
        expected_plain.inc()
    assert shown(theirs) == shown(ours)


@given(VALUES, VALUES)
def test_a_histogram_shows_what_was_observed(one_by_one: list[float], at_once: list[float]) -> None:
    """A value at a bound lies in its bucket."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    hot = HotHistogram("x_seconds", "Seconds.", ("api",), ours, BUCKETS).of("games")
    expected = Histogram("x_seconds", "Seconds.", ("api",), buckets=BUCKETS, registry=theirs).labels("games")
    for value in one_by_one:
        hot.observe(value)
    hot.observe_all(at_once)
    for value in (*one_by_one, *at_once):
        expected.observe(value)
    sums = [[line for line in lines if "_sum" not in line] for lines in (shown(theirs), shown(ours))]
    assert sums[0] == sums[1]
    found = [registry.get_sample_value("x_seconds_sum", {"api": "games"}) for registry in (ours, theirs)]
    assert abs((found[0] or 0) - (found[1] or 0)) < 1e-9


# Their sums are exact in any order.
ANSWERS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from([200, 201, 404, 503]), st.sampled_from([0.0, 0.0078125, 0.25, 64.0])
    ),
    max_size=20,
)


@given(ANSWERS)
def test_answers_show_as_a_counter_and_a_histogram(answers: list[tuple[str, int, float]]) -> None:
    """By code, and by class of code."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    hot = HotAnswers(("x", "X."), ("y_seconds", "Y."), ours)
    counter = Counter("x", "X.", ("route", "code"), registry=theirs)
    histogram = Histogram("y_seconds", "Y.", ("route", "status"), buckets=SECONDS_BUCKETS, registry=theirs)
    for _ in range(2):  # a scrape changes nothing
        for route, code, seconds in answers:
            hot.answered(route, code, seconds)
            counter.labels(route, str(code)).inc()
            histogram.labels(route, f"{code // 100}xx").observe(seconds)
        assert sorted(shown(theirs)) == sorted(shown(ours))
