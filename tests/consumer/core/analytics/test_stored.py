"""What a pool may store: one number, the same in ingress, worker and verify (B10)."""

import base64
import json

import bson
import pytest

from consumer.core.analytics.decode import Pool
from consumer.core.analytics.plan import make_plan
from consumer.core.dead import Unreadable
from consumer.core.decode import decode_analytics
from consumer.core.flush import Flush
from consumer.core.reads import Known
from consumer.core.records import Record
from ops.verify.analytics.pools import read_pool
from ops.verify.reading import LogRecord
from schemas.analytics.body import JSON_TYPE, parse_analytics, read_sent
from schemas.analytics.stored import ITEM_BYTES, MAX_STORED_BYTES, TooMuchToStore, require_storable, stored_bytes
from schemas.coordinates import PartitionId
from schemas.settings import Limits
from tests.samples import KEYS, NOW, item, pool, sealed_pool

# As in a public report: 1,664 characters of mediaInfo, kept with each of 10,000 events.
MEDIA = base64.b64encode(json.dumps({"title": "x" * 1_235}).encode()).decode()
LARGE = pool(*[item("A", n=n, x=[[]] * 15) for n in range(10_000)], mediaInfo=MEDIA)
HALF = pool(*[item("A", n=n, x=[[]] * 15) for n in range(3_000)], mediaInfo=MEDIA)


def unsigned(body: bytes) -> Record:
    return Record(0, NOW, b"demo/ann", body, [("content-type", JSON_TYPE.encode())])


def stored(pool: Pool) -> int:
    """Bytes of the documents that it makes."""
    record = Record(pool.origin.offset, NOW, None, b"", [])
    plan = make_plan(Flush(PartitionId("r1", 0), pool.origin.offset, [record], [pool]), Known(), Limits())
    return sum(len(bson.encode(document)) for document in plan.events.by_id.values())


def test_b10_copies_of_media_and_empty_arrays_count_as_they_are_stored() -> None:
    """A quarter of the bound as a body, and beyond it as documents."""
    batch = parse_analytics(read_sent(LARGE, JSON_TYPE), 10_000)
    assert len(LARGE) < MAX_STORED_BYTES // 4 < MAX_STORED_BYTES < stored_bytes(batch, "demo", "ann", None)


def test_b10_a_pool_within_the_bound_says_what_it_stores() -> None:
    """Signed or not: the bytes of its documents, and the overhead of each."""
    for record in (unsigned(HALF), sealed_pool(0, HALF)):
        found = decode_analytics(record, KEYS)
        assert isinstance(found, Pool)
        assert stored(found) <= found.stored_bytes - 3_000 * ITEM_BYTES <= stored(found) + 3_000 * 64
        assert found.stored_bytes <= MAX_STORED_BYTES


def test_b10_a_pool_beyond_the_bound_that_no_ingress_has_accepted_is_dead() -> None:
    """For the worker and for verify."""
    dead = decode_analytics(unsigned(LARGE), KEYS)
    assert isinstance(dead, Unreadable)
    assert dead.reason.startswith("too large: ")
    record = unsigned(LARGE)
    assert "dead" == read_pool(LogRecord(0, NOW, record.key, record.value, record.headers), KEYS, Limits()).kind


def test_g18_a_pool_that_an_ingress_has_accepted_is_never_too_large() -> None:
    """Whatever the bound was then."""
    record = sealed_pool(0, LARGE)
    found = decode_analytics(record, KEYS)
    assert isinstance(found, Pool)
    assert found.stored_bytes > MAX_STORED_BYTES
    assert "countable" == read_pool(LogRecord(0, NOW, record.key, record.value, record.headers), KEYS, Limits()).kind


def test_b10_the_bound_itself_passes() -> None:
    """One more byte does not."""
    require_storable(MAX_STORED_BYTES)
    with pytest.raises(TooMuchToStore, match=f"{MAX_STORED_BYTES + 1} bytes to store"):
        require_storable(MAX_STORED_BYTES + 1)


def test_b10_the_longest_request_id_and_raw_media_count() -> None:
    """They are in every document."""
    one = decode_analytics(sealed_pool(0, pool(item(), requestId="é" * 128, mediaInfo="!" * 1_000)), KEYS)
    other = decode_analytics(sealed_pool(0, pool(item())), KEYS)
    assert isinstance(one, Pool)
    assert isinstance(other, Pool)
    assert stored(one) - stored(other) == one.stored_bytes - other.stored_bytes > 1_256


def test_a_refused_pool_stores_nothing_and_its_cause_holds_nothing_of_the_clients() -> None:
    """Names within Data are the client's own."""
    found = decode_analytics(sealed_pool(0, pool(item("A") | {"Data": {"secret name": 2**63}}, item("B"))), KEYS)
    assert isinstance(found, Pool)
    assert (0, "eventData[0].Data: is beyond int64") == (found.stored_bytes, found.cause)
    extra = decode_analytics(sealed_pool(0, pool(item("A") | {"secret name": 2**63})), KEYS)
    assert isinstance(extra, Pool)
    assert "eventData[0]: is beyond int64" == extra.cause
