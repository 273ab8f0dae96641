"""A record that is set aside can always be stored, with a short reason."""

import hashlib

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.dead import (
    CUT_VALUE_BYTES,
    MAX_HEADERS_BYTES,
    MAX_KEY_BYTES,
    MAX_VALUE_BYTES,
    Unreadable,
    dead_exception,
    dead_letter,
)
from consumer.core.reasons import MAX_REASON_CHARACTERS, bug_reason, short
from consumer.core.records import Record
from schemas.coordinates import PartitionId

PARTITION = PartitionId("r1", 3)
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024

HEADERS = st.lists(
    st.tuples(st.text(max_size=20) | st.sampled_from(["\ud800", "\0", ""]), st.none() | st.binary(max_size=50))
)


@given(
    key=st.none() | st.binary(max_size=50),
    value=st.binary(max_size=200),
    headers=HEADERS,
    time_millis=st.integers(-(2**63), 2**63 - 1),
    reason=st.text(max_size=500),
)
def test_any_record_can_be_set_aside(
    key: bytes | None, value: bytes, headers: list[tuple[str, bytes | None]], time_millis: int, reason: str
) -> None:
    """Whatever it contains. MongoDB returns what it was given."""
    record = Record(5, time_millis, key, value, headers)  # type: ignore[arg-type]  # Kafka has null values
    dead = Unreadable(record, reason.encode(errors="replace").decode())
    letter = dead_letter(dead, PARTITION)
    assert "cut" not in letter
    for document in (letter, dead_exception(dead, PARTITION)):
        assert document["_id"] == "r1/03/5"
        assert bson.decode(bson.encode(document))
    assert (letter["value"], letter["key"]) == (value, key)
    assert [one for _, one in headers] == [one for _, one in letter["headers"]]


@pytest.mark.parametrize(
    "record",
    [
        Record(5, 0, None, b"x" * (MAX_VALUE_BYTES + 1), []),
        Record(5, 0, b"k" * (MAX_KEY_BYTES + 1), b"", []),
        Record(5, 0, None, b"", [("n" * 1_000, b"v" * 1_000)] * 10_000),
        Record(5, 0, None, b"", [("", b"")] * (MAX_HEADERS_BYTES // 64 + 1)),
        Record(5, 0, b"k" * 10**7, b"x" * 10**8, [("\ud800" * 10**6, b"v" * 10**7)]),
    ],
    ids=["value", "key", "headers", "empty headers", "everything"],
)
def test_a_record_that_no_document_can_hold_is_kept_cut(record: Record) -> None:
    """Its size and its hash identify it."""
    letter = dead_letter(Unreadable(record, "too large"), PARTITION)
    assert len(bson.encode(letter)) < MAX_DOCUMENT_BYTES
    assert letter["cut"] == {
        "bytes": len(record.value),
        "sha256": hashlib.sha256(record.value).hexdigest(),
        "headers": len(record.headers),
    }
    assert len(letter["value"]) == (CUT_VALUE_BYTES if len(record.value) > MAX_VALUE_BYTES else len(record.value))


def test_the_largest_record_that_is_kept_whole_fits_a_document() -> None:
    """With the longest key, and as many headers as are kept."""
    headers: list[tuple[str, bytes]] = [("", b"")] * (MAX_HEADERS_BYTES // 64)
    record = Record(5, 0, b"k" * MAX_KEY_BYTES, b"x" * MAX_VALUE_BYTES, headers)
    letter = dead_letter(Unreadable(record, "r" * 10_000), PARTITION)
    assert "cut" not in letter
    assert len(bson.encode(letter)) < MAX_DOCUMENT_BYTES


@given(st.text(max_size=2_000))
def test_a_reason_is_one_short_line(text: str) -> None:
    """It appears in logs and lists."""
    found = short(text)
    assert len(found) <= MAX_REASON_CHARACTERS
    assert len(found.splitlines()) <= 1


def test_a_bug_is_told_by_its_class_and_line_alone() -> None:
    """Its message may quote the record."""
    try:
        int("what only the client may know")
    except ValueError as error:
        reason = bug_reason("reading", error)
    assert reason.startswith("bug: ValueError in reading the record (test_dead.py:")
    assert "client" not in reason
    assert bug_reason("planning", OverflowError("secret")) == "bug: OverflowError in planning the record"
