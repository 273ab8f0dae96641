"""What comes in: one record as the log has it."""

from dataclasses import dataclass

from schemas.envelope import Headers


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a partition. `timestamp_millis` is the broker's (LogAppendTime): the record's time."""

    offset: int
    timestamp_millis: int
    key: bytes | None
    value: bytes
    headers: Headers

    @property
    def size_bytes(self) -> int:
        return len(self.value)
