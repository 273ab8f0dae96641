"""A record as the worker and the recount have it: cleaned, cut where it is too large, with its fault."""

import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.dead import Unreadable
from consumer.core.decode import decode, decode_analytics
from consumer.core.records import Record
from consumer.fetching.batch import KEPT_BYTES, Flaw
from consumer.fetching.record import (
    MAX_ENVELOPE_BYTES,
    MAX_SIGNED_BYTES,
    largest_value_bytes,
    most_unpacked_bytes,
    record_of,
)
from consumer.fetching.wire import MAX_HEADERS
from ops.verify.analytics.pools import DEAD as DEAD_POOL
from ops.verify.analytics.pools import read_pool
from ops.verify.reading import DEAD, LogRecord, Rules, read
from schemas.records.envelope import MAX_TIME_MILLIS
from schemas.settings import LimitSettings
from tests.samples import KEYS, NOW, batch, item, period, pool, sealed, sealed_pool, update

LARGEST = 1_000
LIMITS = LimitSettings()


def found(record: Record, checksum: object = None) -> ConsumerRecord:
    key, value, headers = record.key, record.value, tuple(record.headers)
    return ConsumerRecord("t", 0, record.offset, record.timestamp_millis, 1, key, value, checksum, 0, 0, headers)


def of(value: bytes, headers: tuple[tuple[str, bytes | None], ...] = (), key: bytes | None = b"demo/ann") -> Record:
    return Record(*record_of(ConsumerRecord("t", 0, 3, NOW, 1, key, value, None, 0, 0, headers), LARGEST))


any_headers = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=5)


any_values = st.none() | st.binary(max_size=20) | st.binary(min_size=LARGEST + 1, max_size=LARGEST + 20)


@given(st.none() | st.binary(max_size=20), any_values, any_headers, st.integers())
def test_any_record_is_made_and_decoded_by_both_apis_and_by_the_recount(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]], timestamp: int
) -> None:
    """Whatever it holds: nothing is raised, and what has a fault is dead for all of them."""
    made = record_of(ConsumerRecord("t", 0, 3, timestamp, 1, key, value, None, 0, 0, tuple(headers)), LARGEST)
    assert 0 <= made.timestamp_millis <= MAX_TIME_MILLIS
    decoded = [decode(Record(*made), KEYS), decode_analytics(Record(*made), KEYS)]
    recounted = read(LogRecord(*made), Rules(KEYS, LIMITS, {})), read_pool(LogRecord(*made), KEYS, LIMITS)
    assert (value is not None and len(value) > LARGEST) == bool(made.fault)
    if made.fault:
        assert all(isinstance(one, Unreadable) and one.reason == made.fault for one in decoded)
        assert (DEAD, DEAD_POOL) == recounted


def test_a_value_larger_than_any_body_is_cut_and_dead() -> None:
    """It is cut before it is read. Its size and hash are kept with its beginning."""
    made = of(bytes(100_000))
    assert KEPT_BYTES == len(made.value)
    assert made.fault.startswith(
        "a value of 100000 bytes, more than any body may have (1000); its first 65536 are kept"
    )
    assert "" == of(bytes(LARGEST)).fault
    assert len(made.fault) <= 200


@pytest.mark.parametrize("is_pool", [False, True])
def test_what_an_ingress_signed_is_read_whatever_the_limits_are_now(*, is_pool: bool) -> None:
    """It was accepted under other ones; a signature that is none makes it dead."""
    body = pool(item("A" * 200)) if is_pool else batch(*[period(update())] * 5)
    record = sealed_pool(0, body, request_id="x" * 2_000) if is_pool else sealed(0, body)
    decodes, recounts = (decode_analytics, read_pool) if is_pool else (decode, read)
    rules = Rules(KEYS, LIMITS, {})
    for changed, is_dead in ((record, False), (record._replace(value=body + b" "), True)):
        made = record_of(found(changed), 100)
        assert made.fault
        assert made.value == changed.value
        assert is_dead == isinstance(decodes(Record(*made), KEYS), Unreadable)
        recounted = recounts(LogRecord(*made), *((KEYS, LIMITS) if is_pool else (rules,)))
        assert is_dead == (recounted.kind == "dead")


def test_what_says_it_is_signed_is_cut_all_the_same_beyond_what_ever_was_allowed() -> None:
    """To verify it would cost its whole size again."""
    assert KEPT_BYTES == len(of(bytes(MAX_SIGNED_BYTES + 1), (("judged", b"{}.x"),)).value)


def test_headers_that_are_too_many_or_too_large_are_not_kept() -> None:
    """A dead letter must fit into a document."""
    many = of(b"x", tuple(("n", b"v") for _ in range(MAX_HEADERS + 1)))
    large = of(b"x", (("n", bytes(MAX_ENVELOPE_BYTES)),))
    key = of(b"x", key=bytes(MAX_ENVELOPE_BYTES + 1))
    assert [(), (), ()] == [many.headers, large.headers, key.headers]
    assert all((many.fault, large.fault, key.fault))
    assert KEPT_BYTES == len(key.key or b"")


def test_a_flaw_is_the_records_fault() -> None:
    """With the reason that the batch's reader gives."""
    assert "its batch is none" == record_of(found(sealed(0, b"{}"), Flaw("its batch is none")), LARGEST).fault


def test_bounds_are_those_of_the_app_with_the_highest() -> None:
    """Of an API that is not known, of both."""
    limits = LimitSettings.model_validate({"max_body_bytes": 2_000, "max_analytics_body_bytes": 3_000})
    assert [2_000, 3_000, 3_000] == [largest_value_bytes(limits, api) for api in ("games", "analytics", None)]
    assert most_unpacked_bytes(limits) > 3_000
