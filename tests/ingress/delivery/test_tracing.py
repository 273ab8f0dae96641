"""The trace of a request: its header in the record, and the span of sending it."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from consumer.core.analytics.decode import decode_pool
from consumer.core.records import Record
from schemas.records.envelope import unseal
from schemas.records.trace import is_traceparent
from tests.ingress.rig import NOW, SIGNING, Rig, period, update
from tests.samples import item, pool
from tests.tracing import PARENT, TRACE, TRACEPARENT, MadeSpans


def headers_of(rig: Rig) -> list[dict[str, bytes]]:
    return [dict(record.headers) for record in (*rig.topic.records, *rig.analytics_topic.records)]


def traced(rig: Rig) -> MadeSpans:
    """Let it make spans."""
    made = MadeSpans()
    object.__setattr__(rig.shared, "tracing", made.tracing)
    return made


LATER = f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"


@pytest.mark.parametrize("sent", [TRACEPARENT, f"00-{TRACE}-{PARENT}-00", LATER])
async def test_a_valid_traceparent_is_copied_byte_for_byte(rig: Rig, sent: str) -> None:
    """Of both APIs, also without OpenTelemetry."""
    await rig.record(period(update()), traceparent=sent)
    await rig.add(pool(item()), traceparent=sent)
    assert [sent.encode()] * 2 == [one["traceparent"] for one in headers_of(rig)]


@pytest.mark.parametrize(
    "sent", ["", "nonsense", TRACEPARENT.upper(), f"00-{'0' * 32}-{PARENT}-01", f"{TRACEPARENT}-x"]
)
async def test_an_invalid_one_is_ignored(rig: Rig, sent: str) -> None:
    answers = [await rig.record(period(update()), traceparent=sent), await rig.add(pool(item()), traceparent=sent)]
    assert [200, 200] == [answer.status for answer in answers]
    assert not [one for one in headers_of(rig) if "traceparent" in one]


async def test_the_record_is_as_valid_and_as_unique_with_it_as_without(rig: Rig) -> None:
    """The signature does not cover it, and a duplicate with another trace is a duplicate."""
    first = await rig.record(period(update(count="3")))
    again = await rig.record(period(update(count="3")), traceparent=TRACEPARENT)
    assert [] == first.json["batchFailures"]
    assert ["ALREADY_UPDATED"] == [one["failureCause"] for one in again.json["batchFailures"]]
    plain, with_trace = rig.topic.records
    envelopes = [unseal(one.key, one.headers, one.body, NOW, SIGNING) for one in (plain, with_trace)]
    assert envelopes[0] == envelopes[1]
    assert envelopes[0].judged is not None
    assert [*plain.headers, ("traceparent", TRACEPARENT.encode())] == [*with_trace.headers]
    await rig.add(pool(item()), traceparent=TRACEPARENT)
    (record,) = rig.analytics_topic.records
    assert decode_pool(Record(0, NOW, record.key, record.body, record.headers), SIGNING).items


async def test_sending_a_record_is_a_span_in_the_trace_of_its_request(rig: Rig) -> None:
    """Named and attributed by OpenTelemetry's conventions."""
    made = traced(rig)
    await rig.record(period(update()), traceparent=TRACEPARENT)
    (span,) = made.ended
    assert ("send tallymill.records", SpanKind.PRODUCER) == (span.name, span.kind)
    assert span.parent is not None
    assert (int(TRACE, 16), int(PARENT, 16)) == (span.parent.trace_id, span.parent.span_id)
    (record,) = rig.topic.records
    assert {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "tallymill.records",
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
        "messaging.message.body.size": len(record.body),
    } == dict(span.attributes or {})
    assert TRACEPARENT.encode() == dict(record.headers)["traceparent"]


async def test_both_apis_make_spans(rig: Rig) -> None:
    made = traced(rig)
    await rig.record(period(update()))
    await rig.add(pool(item()))
    assert ["send tallymill.records", "send tallymill.analytics"] == [span.name for span in made.ended]


async def test_a_request_without_a_trace_begins_one(rig: Rig) -> None:
    """So that the worker's span links to this one."""
    made = traced(rig)
    await rig.record(period(update()))
    (span,) = made.ended
    assert span.parent is None
    context = span.get_span_context()
    assert context is not None
    found = headers_of(rig)[0]["traceparent"]
    assert is_traceparent(found)
    assert [f"{context.trace_id:032x}", f"{context.span_id:016x}"] == found.decode().split("-")[1:3]


async def test_a_client_that_does_not_sample_is_not_sampled(rig: Rig) -> None:
    """Its header is copied all the same."""
    made = traced(rig)
    await rig.record(period(update()), traceparent=f"00-{TRACE}-{PARENT}-00")
    assert () == made.ended
    assert f"00-{TRACE}-{PARENT}-00".encode() == headers_of(rig)[0]["traceparent"]


@pytest.mark.parametrize("trouble", ["away", "silent"])
async def test_a_record_that_kafka_does_not_acknowledge_is_a_failed_span(rig: Rig, trouble: str) -> None:
    """With the kind of the failure, and nothing of what the client has sent."""
    made = traced(rig)
    setattr(rig.topic, trouble, True)
    assert 503 == (await rig.record(period(update()))).status
    (span,) = made.ended
    assert StatusCode.ERROR == span.status.status_code
    assert {"away": "Unavailable", "silent": "Unknown"}[trouble] == (span.attributes or {})["error.type"]
    assert "messaging.kafka.offset" not in (span.attributes or {})
