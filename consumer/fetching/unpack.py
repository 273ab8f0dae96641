"""Decompression with a limit of its output. Pure.

A few kilobytes may unpack to gigabytes, and brokers limit only the packed size. The output is cut off at the limit.
"""

import gzip
import io
import mmap
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import cramjam

# The buffer of the first try, as a multiple of the packed size: JSON rarely packs better. If it is too small, a second
# try has a buffer of the whole limit. The system provides its memory page by page, when it is written to.
FIRST_TRY_RATIO = 16
FIRST_TRY_BYTES = 64 * 1024

# The message of cramjam for a full output, which it has filled by then.
_FULL = "failed to write whole buffer"

# snappy-java's stream: this head, two versions, then blocks, each after its length.
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEAD_BYTES = 16


class CannotUnpack(ValueError):
    """The codec can't unpack the bytes. The message quotes none of them."""


class Unpacked(NamedTuple):
    """`size` bytes in `buffer`, after the room for the caller. Not `whole`: the output is larger than the limit."""

    buffer: memoryview
    size: int
    whole: bool


class _Into(NamedTuple):
    size: int
    whole: bool


_Codec = Callable[[memoryview, memoryview], _Into]


def unpack(codec: int, packed: memoryview, limit: int, room: int) -> Unpacked:
    """At most `limit` unpacked bytes, after `room` bytes for the caller. Raises CannotUnpack."""
    if codec not in _CODECS:
        raise CannotUnpack(f"compression codec {codec} is unknown")
    name, into = _CODECS[codec]
    first = min(limit, FIRST_TRY_RATIO * len(packed) + FIRST_TRY_BYTES)
    try:
        buffer = memoryview(bytearray(room + first))
        size, whole = into(packed, buffer[room:])
        if not whole and first < limit:
            buffer = memoryview(mmap.mmap(-1, room + limit))
            size, whole = into(packed, buffer[room:])
    except (cramjam.DecompressionError, OSError, EOFError, ValueError, zlib.error, struct.error) as error:
        raise CannotUnpack(f"it is not {name}") from error
    return Unpacked(buffer, size, whole)


def _cramjam(decompress_into: Callable[[memoryview, memoryview], int]) -> _Codec:
    def into(packed: memoryview, out: memoryview) -> _Into:
        try:
            return _Into(decompress_into(packed, out), whole=True)
        except cramjam.DecompressionError as error:
            if str(error) != _FULL:
                raise
            return _Into(len(out), whole=False)

    return into


def _gzip(packed: memoryview, out: memoryview) -> _Into:
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
        size = stream.readinto(out)
        while size < len(out) and (more := stream.readinto(out[size:])):
            size += more
        return _Into(size, whole=size < len(out) or not stream.read(1))


def _snappy(packed: memoryview, out: memoryview) -> _Into:
    if packed[: len(_XERIAL_MAGIC)] != _XERIAL_MAGIC:
        return _snappy_block(packed, out)
    at, size, whole = _XERIAL_HEAD_BYTES, 0, True
    while at < len(packed) and whole:
        (length,) = struct.unpack_from(">I", packed, at)
        at += 4 + length
        added, whole = _snappy_block(packed[at - length : at], out[size:])
        size += added
    return _Into(size, whole)


def _snappy_block(packed: memoryview, out: memoryview) -> _Into:
    """Snappy gives the unpacked size first, so nothing is unpacked that does not fit."""
    if cramjam.snappy.decompress_raw_len(packed) > len(out):
        return _Into(0, whole=False)
    return _Into(cramjam.snappy.decompress_raw_into(packed, out), whole=True)


_CODECS: Mapping[int, tuple[str, _Codec]] = {
    1: ("gzip", _gzip),
    2: ("snappy", _snappy),
    3: ("lz4", _cramjam(cramjam.lz4.decompress_into)),
    4: ("zstd", _cramjam(cramjam.zstd.decompress_into)),
}
