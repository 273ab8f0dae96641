"""When a process makes spans: by OpenTelemetry's variables, and only with its packages."""

import sys
from collections.abc import Mapping

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from ops.config import load_settings
from serving.spans import MAX_LINKS, Spans, ToCollector, exporting
from serving.tracing import Batch, is_wanted, tracing

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": ""}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"}, False),
        (ENDPOINT, True),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
    ],
)
def test_spans_are_made_where_an_exporter_is_named(environ: Mapping[str, str], expected: bool) -> None:  # noqa: FBT001 a parameter of the test
    assert expected == is_wanted(environ)


def test_without_an_exporter_there_are_none() -> None:
    """And nothing is logged."""
    with capture_logs() as logs:
        assert tracing("ingress", {}) is None
    assert [] == logs


def test_without_the_packages_there_are_none_and_the_log_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "serving.spans")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with capture_logs() as logs:
        assert tracing("ingress", ENDPOINT) is None
    assert [("tracing_off", "OpenTelemetry is not installed: pip install 'tallymill[otel]'")] == [
        (line["event"], line["reason"]) for line in logs
    ]


def test_an_exporter_that_is_not_supported_is_named() -> None:
    with capture_logs() as logs:
        assert tracing("worker", {"OTEL_TRACES_EXPORTER": "zipkin"}) is None
    assert ["OTEL_TRACES_EXPORTER=zipkin is not supported: use otlp or console"] == [line["reason"] for line in logs]


@pytest.mark.parametrize("name", ["OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"])
def test_a_variable_that_opentelemetry_refuses_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A process starts without spans rather than not at all."""
    monkeypatch.setenv(name, "many")
    with capture_logs() as logs:
        assert tracing("ingress", {"OTEL_TRACES_EXPORTER": "console"}) is None
    (line,) = logs
    assert ("tracing_off", "warning") == (line["event"], line["log_level"])
    assert line["reason"].startswith(f"OpenTelemetry does not accept a variable: {name} must be")


def test_a_flush_of_many_records_links_no_more_than_a_span_keeps() -> None:
    """The rest costs nothing."""
    trace = b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"
    origins = iter([(offset, trace) for offset in range(MAX_LINKS + 10)])
    with Spans(TracerProvider(shutdown_on_exit=False)).processing(Batch("topic", 0, "group", MAX_LINKS + 10, origins)):
        assert 10 == len(list(origins))


def test_an_outage_of_the_collector_is_two_lines() -> None:
    exporter = InMemorySpanExporter()
    to_collector = ToCollector(exporter)
    with capture_logs() as logs:
        to_collector.export([])
        exporter.shutdown()
        for _ in range(3):
            to_collector.export([])
        exporter._stopped = False
        to_collector.export([])
    assert ["traces_not_exported", "traces_exported_again"] == [line["event"] for line in logs]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "tallymill-worker"),
        ({"OTEL_SERVICE_NAME": "counter"}, "counter"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=counter,a=b"}, "counter"),
    ],
)
async def test_the_service_has_its_name(
    monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str], expected: str
) -> None:
    """OpenTelemetry's own variables take precedence."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    made = exporting("worker", "otlp", environ)
    assert isinstance(made, Spans)
    assert expected == made._provider.resource.attributes["service.name"]
    await made.close()


def test_the_settings_do_not_refuse_opentelemetrys_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only unknown names that begin with TALLYMILL_ are refused."""
    for name, value in ENDPOINT.items():
        monkeypatch.setenv(name, value)
    load_settings()
