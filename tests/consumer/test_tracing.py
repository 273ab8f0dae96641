"""The span of a flush: one for each, with links to the traces of its records."""

from dataclasses import replace

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from consumer.core.plan import WritePlan
from consumer.core.reads import Reads
from consumer.core.records import Record
from consumer.memory import MemorySource, MemoryStore
from consumer.ports import Plan, RecordRefused
from consumer.tracing import flush_spans
from serving.spans import MAX_LINKS
from tests.consumer.parts import TOPIC, eventually, parts, running
from tests.consumer.test_worker import applied, one, total
from tests.tracing import PARENT, TRACE, TRACEPARENT, MadeSpans


def traced(offset: int, *traceparents: str) -> Record:
    record = one(offset)
    return record._replace(headers=[*record.headers, *(("traceparent", text.encode()) for text in traceparents)])


async def flushed(store: MemoryStore, *records: Record) -> tuple[ReadableSpan, ...]:
    """The spans of a worker that applies these records."""
    made, log = MadeSpans(), MemorySource(1, TOPIC)
    for record in records:
        log.append(0, record)
    spans = flush_spans(made.tracing, "topic", "group")
    async with running(replace(parts(log, store), spans=spans)):
        await eventually(lambda: applied(store) == len(records))
    return made.ended


async def test_a_flush_is_one_span_with_a_link_to_each_record_that_has_a_trace() -> None:
    """Named and attributed by OpenTelemetry's conventions. An invalid traceparent of a foreign producer is ignored."""
    records = [one(0), traced(1, TRACEPARENT), traced(2, "nonsense"), traced(3, f"00-{TRACE}-{PARENT}-00")]
    (span,) = await flushed(MemoryStore(), *records)
    assert ("process topic", SpanKind.CONSUMER, None) == (span.name, span.kind, span.parent)
    assert {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "topic",
        "messaging.destination.partition.id": "0",
        "messaging.consumer.group.name": "group",
        "messaging.batch.message_count": 4,
    } == dict(span.attributes or {})
    assert [(int(TRACE, 16), int(PARENT, 16), 1), (int(TRACE, 16), int(PARENT, 16), 3)] == [
        (link.context.trace_id, link.context.span_id, (link.attributes or {})["messaging.kafka.offset"])
        for link in span.links
    ]
    assert StatusCode.UNSET == span.status.status_code


async def test_records_count_the_same_with_a_trace_as_without() -> None:
    """As signed: a batch that no ingress signed would be judged again, and refused here."""
    store = MemoryStore()
    await flushed(store, one(0), traced(1, TRACEPARENT))
    assert 2 == total(store)


async def test_links_are_bounded() -> None:
    """A flush may have thousands of records."""
    (span,) = await flushed(MemoryStore(), *(traced(n, TRACEPARENT) for n in range(MAX_LINKS + 20)))
    assert (MAX_LINKS, 0) == (len(span.links), span.dropped_links)


class Refusing(MemoryStore):
    """Refuses the first flush, so that it is halved."""

    refusals = 1

    async def apply(self, reads: Reads, plan: Plan) -> WritePlan:
        if self.refusals:
            self.refusals -= 1
            raise RecordRefused("as MongoDB would")
        return await super().apply(reads, plan)


async def test_a_flush_that_is_divided_is_a_failed_span_and_one_for_each_part() -> None:
    failed, *rest = await flushed(Refusing(), one(0), one(1))
    assert (StatusCode.ERROR, "RecordRefused") == (failed.status.status_code, (failed.attributes or {})["error.type"])
    assert [1, 1] == [(span.attributes or {})["messaging.batch.message_count"] for span in rest]
    assert "as MongoDB would" not in failed.to_json()


async def test_without_opentelemetry_nothing_is_made() -> None:
    """The same object for every flush."""
    store, log = MemoryStore(), MemorySource(1, TOPIC)
    log.append(0, one(0))
    made = parts(log, store)
    async with running(made):
        await eventually(lambda: applied(store) == 1)
    assert made.spans is flush_spans(None, "topic", "group")
