"""A trace from a client's request over Kafka to the worker's flush, as a collector gets it; and with no collector."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ops.local.servers.ports import any_free
from ops.verify.command import recounted
from tests.consumer.processes import workers
from tests.consumer.sums import declare, until_applied
from tests.ingress.real import config, ingress_process, now_millis, reading, stopped, until_ready
from tests.ingress.rig import batch, period, update
from tests.patience import PATIENCE_SECONDS
from tests.real import place
from tests.servers import Servers
from tests.tracing import PARENT, TRACE, TRACEPARENT

# How soon a process exports a span, in milliseconds.
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}

# Name, trace id, parent's span id, and the trace ids of its links.
Found = tuple[str, str, str, tuple[str, ...]]


@asynccontextmanager
async def collector(port: int | None = None) -> AsyncIterator[tuple[str, list[Found]]]:
    """Its address, and the spans that it gets."""
    spans: list[Found] = []

    async def traces(request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for resource in sent.resource_spans:
            spans.extend(
                (
                    one.name,
                    one.trace_id.hex(),
                    one.parent_span_id.hex(),
                    tuple(link.trace_id.hex() for link in one.links),
                )
                for scope in resource.scope_spans
                for one in scope.spans
            )
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", traces)
    runner = web.AppRunner(app)
    await runner.setup()
    port = port or any_free()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}", spans
    finally:
        await runner.cleanup()


def sent(number: int) -> bytes:
    now = now_millis()
    return batch(period(update(), start=now - 2_000, end=now - 1_000), request_id=number, sent_millis=now)


async def test_one_trace_has_the_sending_and_a_link_from_the_flush(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On real Kafka and MongoDB. The record has the client's header, and `verify` finds no difference."""
    async with collector() as (url, spans), place(servers, partitions=1) as where:
        for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": url, **QUICK}.items():
            monkeypatch.setenv(name, value)
        await declare(where)
        topic = where.settings.kafka.records_topic
        with (
            workers(tmp_path / "workers", where.settings) as started,
            ingress_process(config(tmp_path, servers.kafka, servers.mongodb, topic)) as running,
        ):
            started.start()
            async with aiohttp.ClientSession() as session:
                await until_ready(running, session)
                assert 200 == (await running.post(session, sent(1), traceparent=TRACEPARENT))[0]
                assert 200 == (await running.post(session, sent(1), traceparent="00-invalid"))[0]
            await until_applied(where, 2)

            def has_sent(trace: str, parent: str) -> bool:
                return (f"send {topic}", trace, parent) in {one[:3] for one in spans}

            await until(lambda: has_sent(TRACE, PARENT))
            await until(lambda: any(name == f"process {topic}" and TRACE in linked for name, _, _, linked in spans))
            async with reading(servers.kafka, topic) as consumer:
                first, second = [dict((await consumer.getone()).headers)["traceparent"].decode() for _ in range(2)]
            assert TRACEPARENT == first
            # A request without a valid one begins a trace.
            await until(lambda: has_sent(second.split("-")[1], ""))
            assert 0 == (await recounted(where.settings)).differences.total


async def test_a_collector_that_is_away_is_two_lines_and_delays_no_stop(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are answered, and the exporter's own messages are not logged."""
    port = any_free()
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_TIMEOUT": "1", **QUICK}
    async with place(servers, partitions=1) as where, aiohttp.ClientSession() as session:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        await declare(where)
        file = config(
            tmp_path, servers.kafka, servers.mongodb, where.settings.kafka.records_topic, apply_timeout_seconds=0
        )
        with ingress_process(file) as running:

            def said(event: str) -> int:
                return sum(json.loads(line)["event"] == event for line in running.log.read_text().splitlines())

            async def posted_until(event: str) -> None:
                while not said(event):
                    assert 200 == (await running.post(session, sent(1)))[0]
                    await asyncio.sleep(0.05)

            await until_ready(running, session)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await posted_until("traces_not_exported")
                async with collector(port):
                    await posted_until("traces_exported_again")
                assert 200 == (await running.post(session, sent(2)))[0]
            assert 0 == await asyncio.to_thread(stopped, running)
            assert 1 == said("traces_exported_again")
            assert 0 == said("library_message") == said("background_failure")
            assert "Traceback" not in running.log.read_text()


async def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.05)
