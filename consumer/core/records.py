"""What comes in: one record as the log has it."""

from typing import NamedTuple

from schemas.records.headers import Headers


class Record(NamedTuple):
    """One record of a partition. `timestamp_millis` is the broker's (LogAppendTime): the record's time.

    A named tuple, as all that is made once a record: half the price of a frozen dataclass.
    """

    offset: int
    timestamp_millis: int
    key: bytes | None
    value: bytes
    headers: Headers
    fault: str = ""
    """Why the log could not give it whole, or should not be asked to decode it: dead, unless an ingress signed it."""

    @property
    def size_bytes(self) -> int:
        return len(self.value)
