"""Batches as brokers send them: what aiokafka can decode is found the same, all else is dead in its place."""

import gc
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from consumer.fetching.batch import FAST_BYTES, KEPT_BYTES, MAX_BATCH_RECORDS, MAX_DEAD, Batch, Flaw
from consumer.fetching.batches import Batches, install
from consumer.fetching.room import ROOM, BoundedRecords, Room
from consumer.fetching.wire import MAX_HEADERS, Cursor
from tests.consumer.wire import (
    APPEND_TIME,
    GZIP,
    LZ4,
    SNAPPY,
    ZSTD,
    Wire,
    batch_bytes,
    field,
    packed,
    record_bytes,
    varint,
    with_payload,
)

CODECS = [0, GZIP, SNAPPY, LZ4, ZSTD]
maybe_bytes = st.none() | st.binary(max_size=40)
texts = st.text(max_size=10).map(str.encode)
fine_headers = st.lists(st.tuples(texts, maybe_bytes), max_size=4)
sound = st.lists(st.builds(Wire, maybe_bytes, maybe_bytes, fine_headers, st.none()), min_size=1)
odd_headers = st.lists(st.tuples(st.binary(max_size=10), maybe_bytes), max_size=4)
odd = st.lists(
    st.builds(
        Wire, maybe_bytes, maybe_bytes, odd_headers, st.none() | st.integers(0, 3) | st.integers(-(2**31), 2**31 - 1)
    ),
    min_size=1,
)


@contextmanager
def room(bytes_left: int, limit: int = 10**7, **left: int) -> Iterator[Room]:
    made = Room(bytes_left, limit, seconds=10**9, **left)
    token = ROOM.set(made)
    try:
        yield made
    finally:
        ROOM.reset(token)


def partition_records(data: bytes, position: int = 0) -> BoundedRecords:
    return BoundedRecords(
        TopicPartition("t", 0), Batches(data), [], position, None, None, check_crcs=True, isolation_level=1
    )


def read(data: bytes, position: int = 0) -> list[ConsumerRecord]:
    return list(partition_records(data, position))


def reasons(found: Sequence[ConsumerRecord]) -> list[str]:
    return [one.checksum.reason if isinstance(one.checksum, Flaw) else "" for one in found]


@given(sound, st.sampled_from(CODECS), st.integers(0, 2**40), st.sampled_from([0, APPEND_TIME]))
def test_a_sound_batch_is_read_as_aiokafka_reads_it(wires: list[Wire], codec: int, base: int, attributes: int) -> None:
    """Its offsets, times, keys, values and headers."""
    raw = batch_bytes(wires, codec, base, attributes)
    expected = [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in DefaultRecordBatch(raw)]
    assert expected == [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in read(raw, base)]


@given(odd, st.sampled_from(CODECS), st.integers(0, 2**40))
def test_a_record_with_any_header_and_any_offset_comes_in_its_place(wires: list[Wire], codec: int, base: int) -> None:
    """Each offset of the batch once, in order, with its key and value. A faulty record does not affect others."""
    found = read(batch_bytes(wires, codec, base), base)
    assert list(range(base, base + len(wires))) == [one.offset for one in found]
    assert [(one.key, one.value) for one in wires] == [(one.key, one.value) for one in found]
    assert all(isinstance(name, str) for one in found for name, _ in one.headers)
    wrong = [one.delta not in (None, number) for number, one in enumerate(wires)]
    assert wrong == [bool(reason) for reason in reasons(found)]


@given(st.binary(max_size=200), st.integers(1, 20), st.integers(0, 7), st.integers(0, 30))
def test_any_payload_gives_each_offset_once_from_wherever_it_is_read(
    payload: bytes, count: int, codec: int, position: int
) -> None:
    """Nothing is raised, and a reader that begins in the middle finds the same."""
    raw = with_payload(payload, count, codec)
    found = read(raw)
    assert list(range(count)) == [one.offset for one in found]
    again = read(raw, position)
    assert [(one.offset, one.value, one.checksum) for one in found if one.offset >= position] == [
        (one.offset, one.value, one.checksum) for one in again
    ]


@given(st.lists(st.binary(max_size=90), max_size=4))
def test_any_bytes_of_a_broker_give_records_or_one_mark_of_damage(parts: list[bytes]) -> None:
    """Behind the mark nothing comes, and in front of it what was good."""
    good = batch_bytes([Wire(b"k", b"v")])
    found = read(good + b"".join(parts))
    assert (found[0].key, found[0].value) == (b"k", b"v")
    marks = [isinstance(one.checksum, Flaw) and one.checksum.is_damage for one in found]
    assert not any(marks[:-1])


def test_a_wrong_checksum_is_damage_and_not_its_producers_fault() -> None:
    """The records may be good and acknowledged, so they must not be skipped."""
    good, bad = batch_bytes([Wire(b"k", b"v")]), bytearray(batch_bytes([Wire(b"k", b"v")], base=1))
    bad[-1] ^= 1
    found = read(good + bytes(bad) + batch_bytes([Wire(b"k", b"v")], base=2))
    assert ["", "the batch at offset 1 is damaged: its checksum is wrong"] == reasons(found)


def test_what_unpacks_to_too_much_is_read_as_far_as_the_limit() -> None:
    """The records in front count; the one that is cut has its key, the first of its value and its size."""
    wires = [Wire(b"a", b"good"), Wire(b"b", bytes(200_000)), Wire(b"c", b"behind"), Wire(b"d", b"behind")]
    with room(10**9, 100_000) as left:
        found = read(batch_bytes(wires, ZSTD))
        assert left.unpacked_left <= 32 * 1024 * 1024 - 100_000
    assert [(b"a", b"good"), (b"b", bytes(KEPT_BYTES)), (None, None), (None, None)] == [
        (one.key, one.value) for one in found
    ]
    assert ["", *["its batch unpacks to more than 100000 bytes (a value of 200000 bytes)"] * 3] == reasons(found)


def test_a_batch_that_says_it_holds_too_many_has_some_dead_letters_and_the_rest_are_gaps() -> None:
    """Kilobytes could say that they are millions of records."""
    raw = batch_bytes([Wire()] * (MAX_BATCH_RECORDS + 1), ZSTD)
    records = partition_records(raw)
    found = list(records)
    assert MAX_DEAD == len(found)
    assert MAX_BATCH_RECORDS + 1 == records.next_fetch_offset
    assert {f"its batch holds {MAX_BATCH_RECORDS + 1} records, more than {MAX_BATCH_RECORDS}"} == set(reasons(found))


@pytest.mark.parametrize("size", [10, FAST_BYTES])
def test_of_a_record_with_too_many_headers_some_are_read(size: int) -> None:
    """A header takes two bytes there and a hundred here. The reader of the record sees that there are too many."""
    wires = [Wire(b"a", b"x", [(b"", None)] * 5_000), Wire(b"b", bytes(size))]
    many, other = read(batch_bytes(wires, ZSTD))
    assert (5_000 if size == 10 else MAX_HEADERS + 1) == len(many.headers)
    assert (b"b", size) == (other.key, len(other.value))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (varint(0) + varint(0) + field(b"k") + field(b"v") + varint(-1), "a number of headers is negative"),
        (varint(0) + varint(0) + field(b"k") + field(b"v") + varint(1) + field(None), "a header has no name"),
        (varint(0) + varint(0) + field(b"k") + field(b"v") + varint(1) + field(None) * 2, "a header has no name"),
        (varint(0) + varint(0) + field(b"k") + varint(99), "a record is cut off"),
        (varint(0) + varint(0) + field(b"k") + field(b"v") + varint(0) + b"x", "a record has another length"),
        (b"\xff" * 11, "a number is cut off"),
    ],
)
def test_a_record_that_is_none_is_dead_and_costs_no_other(body: bytes, why: str) -> None:
    """Its length says where it ends. If that can't be read, all records after it are dead too."""
    record = varint(len(body) + 1) + b"\0" + body
    good, last = record_bytes(Wire(b"k", b"good"), 0), record_bytes(Wire(b"k", b"good"), 2)
    found = read(with_payload(good + record + last, 4))
    assert [0, 1, 2, 3] == [one.offset for one in found]
    assert ["", "", "its batch can't be read: a number is cut off"] == [reasons(found)[n] for n in (0, 2, 3)]
    assert why in reasons(found)[1]
    assert record == found[1].value


def test_a_negative_length_ends_what_can_be_read_of_a_batch() -> None:
    """Its reader would go back, and read the same bytes for other offsets."""
    good = record_bytes(Wire(b"k", b"good"), 0)
    found = read(with_payload(good + varint(-len(good)) + b"\0" * 20, 3))
    assert ["", *["its batch can't be read: a length is negative"] * 2] == reasons(found)


@pytest.mark.parametrize("magic", [0, 1])
def test_a_message_of_before_kafka_0_11_is_dead(magic: int) -> None:
    """It has no headers; brokers of our time take none."""
    found = read(with_payload(b"abc", 1, magic=magic) + batch_bytes([Wire(b"k", b"v")], base=1))
    assert [0, 1] == [one.offset for one in found]
    assert reasons(found)[0].startswith(f"message format {magic}")


def test_offsets_out_of_order_in_a_compacted_batch_are_dead() -> None:
    """Offsets are missing there, so it is unknown which record it is."""
    raw = bytearray(batch_bytes([Wire(b"a", b"x", delta=1), Wire(b"b", b"x", delta=0)]))
    sparse = with_payload(bytes(raw[61:]), 5)
    sparse = sparse[:57] + (2).to_bytes(4, "big") + sparse[61:]
    found = Batch(memoryview(_checked(sparse)))
    assert [(1, ""), (2, "its batch can't be read: an offset is out of order")] == [
        (one.offset, getattr(getattr(one, "checksum", None), "reason", "")) for one in list(found)[:2]
    ]


def _checked(raw: bytes) -> bytes:
    """The same batch with a right checksum."""
    made = with_payload(raw[61:], 5)
    body = bytearray(made)
    body[57:61] = raw[57:61]
    body[17:21] = calc_crc32c(bytes(body[21:])).to_bytes(4, "big")
    return bytes(body)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=30), st.integers(1, 600), st.sampled_from(CODECS))
def test_a_drain_holds_what_there_is_room_for_and_the_next_goes_on(sizes: list[int], held: int, codec: int) -> None:
    """As if the rest had not been fetched: every record comes once, and one more than fits at most."""
    batches = [batch_bytes([Wire(b"k", bytes(n))] * 2, codec, base=2 * i) for i, n in enumerate(sizes)]
    position, got = 0, []
    while position < 2 * len(sizes):
        with room(held):
            records = partition_records(b"".join(batches[position // 2 :]), position)
            drained = list(records)
        assert drained
        assert sum(len(one.value) for one in drained[:-1]) < held
        position = records.next_fetch_offset
        got += drained
    assert list(range(2 * len(sizes))) == [one.offset for one in got]


def test_a_drain_ends_when_it_has_unpacked_enough_or_holds_enough_records() -> None:
    """Batches that unpack to much and give little cost time; records without a value cost memory."""
    raw = b"".join(batch_bytes([Wire(b"k", bytes(10_000))], ZSTD, base=i) for i in range(10))
    with room(10**9, unpacked_left=25_000):
        assert 3 == len(read(raw))
    with room(10**9, records_left=4):
        assert 4 == len(read(raw))


def test_nothing_but_zeros_costs_no_more_than_the_limit() -> None:
    """However little it is when packed."""
    raw = batch_bytes([Wire(b"k", bytes(50_000_000))], ZSTD)
    assert len(raw) < 5_000
    with room(10**9, 1_000_000):
        (found,) = read(raw)
    assert KEPT_BYTES == len(found.value)


def test_aiokafkas_consumers_read_through_us_once_it_is_installed() -> None:
    """The names that its fetcher takes its readers by."""
    install()
    assert (Batches, BoundedRecords) == (fetcher.MemoryRecords, fetcher.PartitionRecords)


def test_garbage_is_told_as_what_it_is() -> None:
    """The bytes are kept, and none of them is in the reason."""
    (found,) = read(with_payload(b"garbage" * 3, 1, ZSTD))
    assert ["its batch can't be unpacked: it is not zstd"] == reasons([found])
    assert b"garbage" in found.value
    assert packed(0, b"x") == b"x"


@pytest.mark.parametrize("position", [0, 1, 700, 1_199])
def test_a_reader_in_the_middle_looks_at_nothing_before_it(position: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is read in parts would cost its square."""
    looked = 0
    own = Cursor.next_record

    def counted(cursor: Cursor) -> tuple[int, int]:
        nonlocal looked
        looked += 1
        return own(cursor)

    monkeypatch.setattr(Cursor, "next_record", counted)
    raw = batch_bytes([Wire(b"k", bytes(1_000), [(b"h", None)] * 9)] * 1_200, ZSTD)
    assert 1_200 - position == len(read(raw, position)) == looked


def test_what_can_not_be_read_is_dead_at_the_same_offsets_from_wherever_it_is_read() -> None:
    """Beyond a thousand too, where the rest are gaps."""
    raw = with_payload(b"".join(record_bytes(Wire(), n) for n in range(20)) + b"\xff" * 20, 5_000)
    whole = [one.offset for one in read(raw)]
    assert [*range(20), *range(20, 20 + MAX_DEAD)] == whole
    for position in (10, 20, 500, 1_019, 1_020, 3_000):
        assert [offset for offset in whole if offset >= position] == [one.offset for one in read(raw, position)]


def test_a_drain_ends_in_time_and_what_it_unpacked_is_freed_with_it() -> None:
    """Not when the garbage collector comes by, which in a worker is seldom: 32 MiB each would be gigabytes."""
    raw = batch_bytes([Wire(b"k", bytes(600_000))] * 3, ZSTD)
    gc.disable()
    try:
        token = ROOM.set(Room(10**9, seconds=0))
        records = partition_records(raw)
        batches = weakref.ref(records._records)
        assert 1 == len(list(records))
        del records
        assert batches() is None
    finally:
        gc.enable()
        ROOM.reset(token)
