"""Which format a scraper gets, and that each has what its readers expect and nothing else."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as text

from schemas.coordinates import Coordinates
from serving.exposition import OPENMETRICS_TYPE, TEXT_TYPE, exposition, prefers_openmetrics
from serving.hot_metrics import MAX_EXEMPLAR_CHARACTERS, HotHistogram
from serving.process_metrics import process_registry

PROMETHEUS = (
    b"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    b"application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    b"text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def openmetrics(exposed: str) -> list[Metric]:
    """Read by a strict parser."""
    return list(openmetrics_parser.text_string_to_metric_families(exposed))  # type: ignore[no-untyped-call]  # no types


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS, True),
        (b"application/openmetrics-text", True),
        (b"APPLICATION/OPENMETRICS-TEXT ; Version=1.0.0", True),
        (b"*/*, application/openmetrics-text", True),
        (b"", False),
        (b"*/*", False),
        (b"text/html,application/xhtml+xml,*/*;q=0.8", False),
        (b"application/openmetrics-text;version=1.0.0;q=0", False),
        (b"application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.5", False),
        (b"application/openmetrics-text;version=2.0.0", False),
        (b"application/openmetrics-text;q=nan", False),
    ],
)
def test_openmetrics_is_sent_to_those_that_prefer_it(accept: bytes, expected: bool) -> None:  # noqa: FBT001 a parameter of the test
    assert expected == prefers_openmetrics(accept)


@given(st.binary(max_size=200))
def test_any_accept_header_gets_one_of_the_two(accept: bytes) -> None:
    assert exposition(CollectorRegistry(), accept).content_type in (TEXT_TYPE, OPENMETRICS_TYPE)


def observed(offset: int) -> CollectorRegistry:
    registry = process_registry()
    series = HotHistogram("x_seconds", "Seconds.", ("api",), registry).of("games")
    series.observe(0.007, Coordinates("r1", 3, offset))
    series.observe(0.3)
    series.observe_all([0.4, 20])
    Counter("y", "Y.", registry=registry).inc()
    Histogram("z_seconds", "Z.", registry=registry).observe(1)
    return registry


def test_an_exemplar_names_the_record_that_was_measured() -> None:
    """In its bucket, with what was measured and when. The text format has none."""
    found = exposition(observed(42), PROMETHEUS)
    assert OPENMETRICS_TYPE == found.content_type
    by_bucket = {
        (sample.name, sample.labels.get("le")): sample
        for family in openmetrics(found.text.decode())
        for sample in family.samples
    }
    exemplars = {key: sample.exemplar for key, sample in by_bucket.items() if sample.exemplar}
    assert [("x_seconds_bucket", "0.01")] == list(exemplars)
    (exemplar,) = exemplars.values()
    assert ({"record": "r1/03/42"}, 0.007) == (exemplar.labels, exemplar.value)
    assert exemplar.timestamp is not None
    assert b"r1/03/42" not in exposition(observed(42), b"").text


@pytest.mark.parametrize("lineage", ["r1", "r" * (MAX_EXEMPLAR_CHARACTERS - len("record/03/1")), "r" * 200])
def test_an_exemplar_has_no_more_characters_than_openmetrics_allows(lineage: str) -> None:
    """One that would have more is left out."""
    registry = CollectorRegistry()
    HotHistogram("x_seconds", "Seconds.", ("api",), registry).of("games").observe(1, Coordinates(lineage, 3, 1))
    families = openmetrics(exposition(registry, b"application/openmetrics-text").text.decode())
    exemplars = [sample.exemplar for family in families for sample in family.samples if sample.exemplar]
    assert (len(lineage) < 200) == bool(exemplars)
    for exemplar in exemplars:
        assert sum(len(name) + len(value) for name, value in exemplar.labels.items()) <= MAX_EXEMPLAR_CHARACTERS


@pytest.mark.parametrize("accept", [b"", PROMETHEUS])
def test_no_series_says_when_another_was_made(accept: bytes) -> None:
    """They would double the series of each counter and histogram."""
    assert b"_created" not in exposition(observed(1), accept).text


def test_both_formats_have_the_same_samples() -> None:
    """But those of the process, which change all the time."""
    registry = observed(1)
    assert samples(text(exposition(registry, b"").text.decode())) == samples(
        openmetrics(exposition(registry, PROMETHEUS).text.decode())
    )


def samples(families: Iterable[Metric]) -> list[tuple[str, list[tuple[str, str]], float]]:
    return sorted(
        (sample.name, sorted(sample.labels.items()), sample.value)
        for family in families
        for sample in family.samples
        if not family.name.startswith(("process_", "python_gc"))
    )
