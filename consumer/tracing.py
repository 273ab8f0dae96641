"""The span of a flush: what it processes, and the traces that its records belong to."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

from consumer.core.flush import Flush
from schemas.records.trace import TRACEPARENT, is_traceparent
from serving.tracing import Batch, Tracing

FlushSpans = Callable[[Flush], AbstractContextManager[None]]
"""Makes the span of a flush. Use it around its attempts."""

_NONE = nullcontext()


def no_spans(_flush: Flush) -> AbstractContextManager[None]:
    return _NONE


def flush_spans(tracing: Tracing | None, topic: str, group: str) -> FlushSpans:
    """The spans of the flushes of one topic; none without `tracing`."""
    if tracing is None:
        return no_spans
    return lambda flush: tracing.processing(
        Batch(topic, flush.partition.partition, group, len(flush.records), origins_of(flush))
    )


def origins_of(flush: Flush) -> Iterator[tuple[int, bytes]]:
    """Offset and `traceparent` of the records that have a valid one."""
    for record in flush.records:
        for name, value in record.headers:
            if name == TRACEPARENT and is_traceparent(value):
                yield record.offset, value
