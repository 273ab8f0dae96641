"""Spans of OpenTelemetry: one for each record that is sent, one for each flush. Off unless an exporter is named.

The packages are the extra `otel`. OpenTelemetry's own variables configure them: a process makes spans if
OTEL_TRACES_EXPORTER or an endpoint (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) is set, unless
OTEL_SDK_DISABLED is true.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Final, Literal, NamedTuple, Protocol

import structlog

log = structlog.get_logger()

EXPORTER: Final = "OTEL_TRACES_EXPORTER"
EXPORTERS: Final = ("otlp", "console")
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Process = Literal["ingress", "worker"]


class Batch(NamedTuple):
    """The records that are processed together."""

    topic: str
    partition: int
    group: str
    records: int
    origins: Iterable[tuple[int, bytes]]
    """Offset and `traceparent` of each record that has one."""


class SendSpan(Protocol):
    """The span of a record that is being sent."""

    @property
    def traceparent(self) -> bytes | None:
        """What the record of a request without a `traceparent` carries."""
        ...

    def sent(self, partition: int | None, offset: int | None) -> None:
        """Kafka has acknowledged it. Its place may be unknown."""
        ...

    def failed(self, error: BaseException) -> None: ...


class Tracing(Protocol):
    """Makes the spans of a process."""

    def sending(self, topic: str, traceparent: bytes | None, size_bytes: int) -> SendSpan:
        """Begin the span of one record, within the trace of its request."""
        ...

    def processing(self, batch: Batch) -> AbstractContextManager[None]:
        """The span of a flush, with links to the traces of its records."""
        ...

    async def close(self) -> None:
        """Export what waits, in bounded time."""
        ...


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for spans."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get(EXPORTER, "").strip().lower()
    return exporter != "none" and bool(exporter or any(environ.get(name) for name in ENDPOINTS))


def tracing(process: Process, environ: Mapping[str, str] = os.environ) -> Tracing | None:
    """The spans of a process; None without an exporter. Logs why there are none although they are wanted."""
    if not is_wanted(environ):
        return None
    exporter = environ.get(EXPORTER, "").strip().lower() or EXPORTERS[0]
    if exporter not in EXPORTERS:
        log.warning("tracing_off", reason=f"{EXPORTER}={exporter} is not supported: use {' or '.join(EXPORTERS)}")
        return None
    try:
        from serving.spans import exporting  # noqa: PLC0415 it needs the extra
    except ImportError:
        log.warning("tracing_off", reason="OpenTelemetry is not installed: pip install 'tallymill[otel]'")
        return None
    try:
        return exporting(process, exporter, environ)
    except ValueError as error:  # its words name the variable
        log.warning("tracing_off", reason=f"OpenTelemetry does not accept a variable: {error}")
        return None
