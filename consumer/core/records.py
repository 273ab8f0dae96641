"""What comes in: one record as the log has it, and whose it is once it has been read."""

from typing import NamedTuple

import msgspec

from schemas.records.headers import Headers


class Record(NamedTuple):
    """One record of a partition. `timestamp_millis` is the broker's (LogAppendTime): the record's time.

    A named tuple costs half of a frozen dataclass, and one is made for each record.
    """

    offset: int
    timestamp_millis: int
    key: bytes | None
    value: bytes
    headers: Headers
    fault: str = ""
    """Why the source could not read it whole, or why it should not be decoded. Such a record is dead, unless an ingress
    signed it."""


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a readable record stands in its partition, whose it is, and when it came."""

    offset: int
    time_millis: int
    """The record's time. Deduplication and retention count from it."""
    received_millis: int
    """When the ingress received it, on the ingress' clock."""
    app: str
    player: str
