"""Every requestId of the range, packed: about 200 bytes an id, so that ten million fit into 2 GB. Pure."""

import hashlib
import struct
from collections.abc import Iterator

from ops.verify.order import Occurrence

_PACKED = struct.Struct("<Hqq?")
_HASH_BYTES = 12
"""96 bits: two of ten million ids share a hash with a chance of 1 in 10^15."""


class RequestIndex:
    """Occurrences by requestId."""

    def __init__(self) -> None:
        self._packed: dict[bytes, bytes] = {}

    def add(self, request: str, occurrence: Occurrence) -> None:
        key = _hash(request)
        packed = _PACKED.pack(occurrence.stream, occurrence.offset, occurrence.time_millis, occurrence.applied)
        self._packed[key] = self._packed.get(key, b"") + packed

    def of(self, request: str) -> Iterator[Occurrence]:
        """In the order they were added."""
        packed = self._packed.get(_hash(request), b"")
        return (Occurrence(*fields) for fields in _PACKED.iter_unpack(packed))


def _hash(request: str) -> bytes:
    return hashlib.blake2b(request.encode(), digest_size=_HASH_BYTES).digest()
