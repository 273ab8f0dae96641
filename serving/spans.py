"""Makes spans with OpenTelemetry's SDK, by its semantic conventions for messaging and Kafka. Needs the extra `otel`.

A record keeps the `traceparent` of its request, not that of its span here: both are in one trace, and a worker links to
it whether or not an ingress makes spans. A request without one gets the context of its span.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice
from typing import Final

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving.tracing import Batch, Process, Tracing

log = structlog.get_logger()

# Exporting what waits may take so long when a process stops. Its supervisor waits longer.
SHUTDOWN_SECONDS: Final = 2.0

# OpenTelemetry keeps so many links of a span by default.
MAX_LINKS: Final = 128

# The names of the semantic conventions 1.37. The package that has them marks them as incubating, and moves them.
SYSTEM: Final = {"messaging.system": "kafka"}
OPERATION_NAME: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.name"
PARTITION: Final = "messaging.destination.partition.id"
OFFSET: Final = "messaging.kafka.offset"
GROUP: Final = "messaging.consumer.group.name"
BATCH_COUNT: Final = "messaging.batch.message_count"
BODY_SIZE: Final = "messaging.message.body.size"
ERROR_TYPE: Final = "error.type"

_PROPAGATOR: Final = TraceContextTextMapPropagator()


def exporting(process: Process, exporter: str, environ: Mapping[str, str]) -> Tracing:
    """Spans that are exported in the background. The SDK reads its variables: sampler, endpoint, headers, limits."""
    own = {"service.version": version("tallymill")}
    if not environ.get("OTEL_SERVICE_NAME") and "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        own["service.name"] = f"tallymill-{process}"
    # Without its handler at exit, which would wait for the exporter without a bound.
    provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
    if exporter == "console":
        made: SpanExporter = ConsoleSpanExporter()
    else:
        # The adapter below logs each outage once. The exporter would log each of its tries.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        made = ToCollector(OTLPSpanExporter())
    provider.add_span_processor(BatchSpanProcessor(made))
    return Spans(provider)


class ToCollector(SpanExporter):
    """Exports, and logs when that fails and when it succeeds again. Called by the SDK's thread."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._fails:
                log.info("traces_exported_again")
            self._fails = False
        elif not self._fails:
            self._fails = True
            log.warning("traces_not_exported", reason="the collector did not take them in time: spans are lost")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class Spans:
    """Implements Tracing."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("tallymill", version("tallymill"))

    def sending(self, topic: str, traceparent: bytes | None, size_bytes: int) -> "Sending":
        """A span of kind PRODUCER, child of the request's."""
        attributes = {**_operation("send", topic), BODY_SIZE: size_bytes}
        parent = _context(traceparent) if traceparent else Context()
        return Sending(self._tracer.start_span(f"send {topic}", parent, SpanKind.PRODUCER, attributes))

    @contextmanager
    def processing(self, batch: Batch) -> Iterator[None]:
        """A span of kind CONSUMER. It has no parent: its records may be of many traces."""
        attributes: dict[str, str | int] = {
            **_operation("process", batch.topic),
            PARTITION: str(batch.partition),
            GROUP: batch.group,
            BATCH_COUNT: batch.records,
        }
        links = [Link(_span_context(trace), {OFFSET: offset}) for offset, trace in islice(batch.origins, MAX_LINKS)]
        span = self._tracer.start_span(
            f"process {batch.topic}", Context(), SpanKind.CONSUMER, attributes, links, record_exception=False
        )
        try:
            yield
        except BaseException as error:
            _fail(span, error)
            raise
        finally:
            span.end()

    async def close(self) -> None:
        """In a thread that may outlive the wait: the exporter retries for longer."""
        closing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, SHUTDOWN_SECONDS)


class Sending:
    """Implements SendSpan."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> bytes | None:
        """Of this span, for a record whose request has none. None if it is not sampled."""
        context = self._span.get_span_context()
        if not context.trace_flags.sampled:
            return None
        return b"00-%032x-%016x-%02x" % (context.trace_id, context.span_id, context.trace_flags)

    def sent(self, partition: int | None, offset: int | None) -> None:
        if partition is not None and offset is not None:
            self._span.set_attributes({PARTITION: str(partition), OFFSET: offset})
        self._span.end()

    def failed(self, error: BaseException) -> None:
        _fail(self._span, error)
        self._span.end()


def _operation(operation: str, topic: str) -> dict[str, str | int]:
    return {**SYSTEM, OPERATION_NAME: operation, OPERATION_TYPE: operation, DESTINATION: topic}


def _fail(span: Span, error: BaseException) -> None:
    """Without the error's text, which may quote what a client has sent."""
    span.set_attribute(ERROR_TYPE, type(error).__name__)
    span.set_status(StatusCode.ERROR)


def _context(traceparent: bytes) -> Context:
    return _PROPAGATOR.extract({"traceparent": traceparent.decode("ascii")}, Context())


def _span_context(traceparent: bytes) -> SpanContext:
    return get_current_span(_context(traceparent)).get_span_context()
