"""Unpacking returns what was packed, up to the limit and never more. Anything else is refused."""

import contextlib

import cramjam
import pytest
from aiokafka.codec import snappy_encode
from hypothesis import given
from hypothesis import strategies as st

from consumer.fetching.unpack import CannotUnpack, unpack
from tests.consumer.wire import GZIP, LZ4, SNAPPY, ZSTD, packed

ROOM = 61
CODECS = [GZIP, SNAPPY, LZ4, ZSTD]


def plain_of(codec: int, data: bytes, limit: int) -> tuple[bytes, bool]:
    found = unpack(codec, memoryview(data), limit, ROOM)
    return bytes(found.buffer[ROOM : ROOM + found.size]), found.whole


@given(st.sampled_from(CODECS), st.binary(max_size=2_000), st.integers(1, 200), st.integers(0, 400_000))
def test_what_was_packed_comes_out_as_far_as_the_limit(codec: int, part: bytes, times: int, limit: int) -> None:
    """All of it if it fits; otherwise its beginning, or nothing if the codec begins with the length."""
    data = part * times
    found, whole = plain_of(codec, packed(codec, data), limit)
    assert whole == (len(data) <= limit)
    assert found == (data if whole else b"" if codec == SNAPPY else data[:limit])


@given(st.binary(min_size=1, max_size=100_000), st.integers(0, 200_000))
def test_snappys_blocks_come_out_as_far_as_the_limit(data: bytes, limit: int) -> None:
    """As snappy-java writes them, block by block: the result ends with a whole block."""
    found, whole = plain_of(SNAPPY, snappy_encode(data, xerial_blocksize=1_000), limit)
    assert whole == (len(data) <= limit)
    assert found == (data if whole else data[: limit // 1_000 * 1_000])


@given(st.integers(0, 7), st.binary(max_size=300))
def test_anything_else_is_told_and_nothing_else_is_raised(codec: int, data: bytes) -> None:
    """Whatever the bytes are, and whatever codec is named."""
    try:
        _, whole = plain_of(codec, data, 10_000)
    except CannotUnpack:
        whole = False
    assert not whole or codec in CODECS


@given(st.sampled_from(CODECS), st.binary(min_size=1, max_size=3_000), st.data())
def test_a_changed_byte_is_told_or_gives_other_bytes(codec: int, plain: bytes, data: st.DataObject) -> None:
    """Never an error of another kind."""
    changed = bytearray(packed(codec, plain))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(CannotUnpack):
        plain_of(codec, bytes(changed), 100_000)


@pytest.mark.parametrize("said", [2**31 - 1, 2**32 - 1])
def test_a_length_that_is_said_is_not_believed(said: int) -> None:
    """Snappy begins with its length: nothing is made of that size."""
    length = bytes(said >> shift & 0x7F | (0x80 if shift < 28 else 0) for shift in range(0, 35, 7))
    rest = bytes(cramjam.snappy.compress_raw(b"abc"))[1:]
    assert (b"", False) == plain_of(SNAPPY, length + rest, 1_000)
