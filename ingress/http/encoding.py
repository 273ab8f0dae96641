"""Content codings: bodies that come compressed, replies that are asked for so (B3). Pure.

Not starlette's GZipMiddleware: it wraps every request, takes `gzip;q=0` for a wish, and knows no zstd. Here a reply
too small to gain costs one comparison of lengths.
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

# In the order of Accept-Encoding: what a body may come in.
DECODED: Final = (b"gzip", b"deflate", b"zstd")
# RFC 9110 section 8.4.1.3: two names of one coding.
_ALIASES: Final = {b"x-gzip": b"gzip"}

# A browser sends some thirty bytes; what lies beyond is not read.
MAX_ACCEPT_BYTES = 500
# Of a Content-Encoding, which names one coding.
MAX_CODING_BYTES = 200

# Below it a packet is saved seldom, and a reply of events.record has a few hundred bytes.
MIN_ENCODED_BYTES = 1_024
# Of gzip: 9 takes several times the CPU of 5 for a few percent.
GZIP_LEVEL = 5
# The window that a zstd frame may ask for: 8 MiB, what RFC 9659 has every decoder take and no encoder pass.
ZSTD_WINDOW_LOG: Final = 23

_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15

_quality = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z").match


class Damaged(ValueError):
    """The bytes are not one whole stream of the coding; the message says how."""


class UnknownCoding(ValueError):
    """A Content-Encoding that is not read here."""


class _Stream(Protocol):
    """What zlib's and zstd's decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def content_coding(content_encoding: bytes | None) -> bytes | None:
    """The one coding that a body comes in, None for none. Raises UnknownCoding, also of several in a row."""
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
    """`deflate` is the zlib format, but some clients send it bare; no bare stream starts with zlib's method nibble."""
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
    """Decodes one body as it comes, part by part: one whole stream (one gzip member, one zstd frame) and no more."""

    def __init__(self, coding: bytes) -> None:
        self._start = _STREAMS[coding]
        self._coding = coding.decode()
        self._stream: _Stream | None = None
        self._ended = False

    def decoded(self, part: bytes, at_most: int) -> bytes:
        """What `part` adds, cut at `at_most` (1 or more) bytes: who gets as many must not go on. Raises Damaged."""
        return self._decoded(part, at_most) if part else b""

    def slices(self, part: bytes, slice_bytes: int) -> Iterator[bytes]:
        """All that `part` adds, in slices: other threads run meanwhile, and who has enough stops. Raises Damaged."""
        for start in range(0, len(part), slice_bytes):
            out = self._decoded(part[start : start + slice_bytes], slice_bytes)
            while out:
                yield out
                # A whole slice may mean that more waits inside.
                more = len(out) == slice_bytes and not self._ended
                out = self._decoded(self._unused(), slice_bytes) if more else b""

    def _unused(self) -> bytes:
        """Of the part that was given last; zstd's decompressor keeps it itself."""
        return getattr(self._stream, "unconsumed_tail", b"")

    def _decoded(self, part: bytes, at_most: int) -> bytes:
        if self._stream is None:
            self._stream = self._start(part)
        try:
            # An answer shorter than `at_most` means that all of `part` was used: nothing waits inside.
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


# In our order: of codings that a client likes equally the first is taken.
_ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "zstd": zstd.compress,
    "gzip": lambda body: zlib.compress(body, GZIP_LEVEL, _GZIP_BITS),
}


def reply_coding(accept_encoding: bytes) -> str | None:
    """The coding an Accept-Encoding likes best of ours; None where it likes none, or `identity` better."""
    parts = accept_encoding[:MAX_ACCEPT_BYTES].decode("latin-1").lower().split(",")
    wishes = dict(_wish(part) for part in parts)
    others = wishes.get("*", 0.0)
    liked = {name: wishes.get(name, wishes.get(f"x-{name}", others)) for name in _ENCODERS}
    best = max(liked, key=lambda name: liked[name])
    # `identity` is what a client gets that likes nothing; named beside others it is a wish like any.
    return best if liked[best] > 0 and liked[best] >= wishes.get("identity", 0.0) else None


def _wish(part: str) -> tuple[str, float]:
    """One element: the coding, and how much it is liked; not at all if that can't be read."""
    name, _, parameter = part.partition(";")
    quality = _quality(parameter.strip() or "q=1")
    return name.strip(), float(quality[1]) if quality else 0.0


def encoded(body: bytes, coding: str) -> bytes:
    return _ENCODERS[coding](body)
