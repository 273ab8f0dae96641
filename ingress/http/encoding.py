"""Content codings: decodes compressed bodies, and compresses replies on request (B3). Pure.

Why not starlette's GZipMiddleware: it wraps every request, compresses despite `gzip;q=0`, and does not support zstd.
Here a reply that is too small to gain costs one comparison of lengths.
"""

import re
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# The codings a body may have, in the order in which Accept-Encoding names them.
DECODED: Final = (b"gzip", b"deflate", b"zstd")
# RFC 9110, section 8.4.1.3: another name of the same coding.
_ALIASES: Final = {b"x-gzip": b"gzip"}

# A browser sends some thirty bytes. The rest of a longer header is ignored.
MAX_ACCEPT_BYTES = 500
# Of a Content-Encoding header, which names one coding.
MAX_CODING_BYTES = 200

# Compressing a shorter reply seldom saves a packet. A reply of events.record has a few hundred bytes.
MIN_ENCODED_BYTES = 1_024
# Of gzip: level 9 takes several times the CPU of level 5 and saves a few percent.
GZIP_LEVEL = 5
# The largest window of a zstd frame, 8 MiB: the one that RFC 9659 sets for encoders and decoders.
ZSTD_WINDOW_LOG: Final = 23

_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15

_quality = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z").match


class Damaged(ValueError):
    """The bytes are not one whole stream of the coding. The message says why."""


class UnknownCoding(ValueError):
    """The Content-Encoding is not supported."""


class _Stream(Protocol):
    """The methods that zlib's and zstd's decompressors share."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def content_coding(content_encoding: bytes | None) -> bytes | None:
    """The coding of a body, None for none. Raises UnknownCoding, also for several codings in a row."""
    if content_encoding is None:
        return None
    if len(content_encoding) > MAX_CODING_BYTES:
        raise UnknownCoding("longer than any list of codings")
    names = [name for name in (part.strip() for part in content_encoding.lower().split(b",")) if name]
    if names in ([], [b"identity"]):
        return None
    coding = _ALIASES.get(names[0], names[0])
    if len(names) > 1 or coding not in DECODED:
        raise UnknownCoding(content_encoding.decode("latin-1"))
    return coding


def _deflate(first: bytes) -> _Stream:
    """`deflate` means the zlib format, but some clients send a raw stream, which never starts with zlib's nibble."""
    return zlib.decompressobj(_ZLIB_BITS if first[0] & 0x0F == zlib.DEFLATED else _RAW_BITS)


def _zstd(_first: bytes) -> _Stream:
    stream: _Stream = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG})
    return stream


_STREAMS: Final[dict[bytes, Callable[[bytes], _Stream]]] = {
    b"gzip": lambda _first: zlib.decompressobj(_GZIP_BITS),
    b"deflate": _deflate,
    b"zstd": _zstd,
}


class Decoder:
    """Decodes one body part by part. A body is exactly one stream: one gzip member, one zstd frame."""

    def __init__(self, coding: bytes) -> None:
        self._start = _STREAMS[coding]
        self._coding = coding.decode()
        self._stream: _Stream | None = None
        self._ended = False

    def decoded(self, part: bytes, at_most: int) -> bytes:
        """The bytes that `part` adds, `at_most` (1 or more). A caller that gets that many must stop. Raises Damaged."""
        return self._decoded(part, at_most) if part else b""

    def slices(self, part: bytes, slice_bytes: int) -> Iterator[bytes]:
        """All bytes that `part` adds, in slices, so that other threads can run in between. Raises Damaged."""
        for start in range(0, len(part), slice_bytes):
            out = self._decoded(part[start : start + slice_bytes], slice_bytes)
            while out:
                yield out
                # After a full slice the decompressor may have more.
                more = len(out) == slice_bytes and not self._ended
                out = self._decoded(self._unused(), slice_bytes) if more else b""

    def _unused(self) -> bytes:
        """The rest of the last part, from zlib. zstd's decompressor keeps the rest itself."""
        return getattr(self._stream, "unconsumed_tail", b"")

    def _decoded(self, part: bytes, at_most: int) -> bytes:
        if self._stream is None:
            self._stream = self._start(part)
        try:
            # Fewer bytes than `at_most` mean that the decompressor has used all of `part`.
            out = b"" if self._stream.eof else self._stream.decompress(part, at_most)
        except (zlib.error, zstd.ZstdError) as error:
            raise Damaged(f"The body is not valid {self._coding}") from error
        if self._stream.unused_data or self._ended:
            raise Damaged(f"The body goes on after the end of its {self._coding} stream")
        self._ended = self._stream.eof
        return out

    def finish(self) -> None:
        """Raises Damaged unless the stream is whole."""
        if not self._ended:
            raise Damaged(f"The body ends before its {self._coding} stream does")


# In the order of preference: among codings of equal q-value the first is taken.
_ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "zstd": zstd.compress,
    "gzip": lambda body: zlib.compress(body, GZIP_LEVEL, _GZIP_BITS),
}


def reply_coding(accept_encoding: bytes) -> str | None:
    """The supported coding with the highest q-value. None if none has one, or if `identity` has a higher one."""
    parts = accept_encoding[:MAX_ACCEPT_BYTES].decode("latin-1").lower().split(",")
    qualities = dict(_coding_and_quality(part) for part in parts)
    others = qualities.get("*", 0.0)
    ours = {name: qualities.get(name, qualities.get(f"x-{name}", others)) for name in _ENCODERS}
    best = max(ours, key=lambda name: ours[name])
    # `identity` is always acceptable. Named among others, it competes by its q-value.
    return best if ours[best] > 0 and ours[best] >= qualities.get("identity", 0.0) else None


def _coding_and_quality(part: str) -> tuple[str, float]:
    """One element of Accept-Encoding. A q-value that can't be read counts as 0."""
    name, _, parameter = part.partition(";")
    quality = _quality(parameter.strip() or "q=1")
    return name.strip(), float(quality[1]) if quality else 0.0


def encoded(body: bytes, coding: str) -> bytes:
    return _ENCODERS[coding](body)
