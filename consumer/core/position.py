"""Where to start reading a partition: its checkpoint compared with what the log has now.

It never guesses: if records are missing, or the log is another one, reading stops and the message says what is lost.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from consumer.core.records import Record
from schemas.checkpoints import Fingerprint


class LogTruncated(Exception):
    """The log no longer holds what the checkpoint relies on. The message says what is lost. A retry can't help.

    `offsets`: how many were removed from the log before they were applied.
    """

    def __init__(self, message: str, offsets: int = 0) -> None:
        self.offsets = offsets
        super().__init__(message)


class LogDamaged(Exception):
    """What the broker sends next can't be read as records. The message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The next offset to apply, and what the last applied record looked like (None: none has been)."""

    next_offset: int
    last: Fingerprint | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Offsets the log holds: `begin` is the first, `end` the one after the last."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """Read from `offset`. With `expected`, the first record must be that one, and is not applied again."""

    offset: int
    expected: Fingerprint | None = None


def where_to_read(checkpoint: Checkpoint, bounds: Bounds) -> ReadFrom:
    """From the last applied record, if it is still there; else from the first offset behind it. Raises LogTruncated."""
    following, last = checkpoint.next_offset, checkpoint.last
    if bounds.end < following:
        raise LogTruncated(
            f"the log ends at {bounds.end}, but offsets below {following} have been applied: it was cut, or is "
            f"another log. What is written below {following} from now on would not be counted."
        )
    if bounds.begin > following:
        raise LogTruncated(
            f"offsets {following} to {bounds.begin - 1} were removed from the log before they were applied: "
            f"{bounds.begin - following} offsets are lost",
            bounds.begin - following,
        )
    if last and bounds.begin <= last["offset"]:
        return ReadFrom(last["offset"], last)
    # Between the last applied record and the next there is no record. To read there shows that it still is so.
    return ReadFrom(min(following, max(bounds.begin, last["offset"] + 1)) if last else following)


def fingerprint(record: Record) -> Fingerprint:
    """What a record looks like: another at its offset means another log."""
    return Fingerprint(offset=record.offset, timestamp=record.timestamp_millis, crc=zlib.crc32(record.value))


def is_same(expected: Fingerprint, found: Record) -> bool:
    """Whether this is the record. How much is kept of one with a fault depends on limits, so its bytes don't tell."""
    seen = fingerprint(found)
    return seen == expected or bool(
        found.fault and (seen["offset"], seen["timestamp"]) == (expected["offset"], expected["timestamp"])
    )


def verify_first(expected: Fingerprint, found: Record) -> None:
    """The first record read must be the last applied one. Raises LogTruncated."""
    if not is_same(expected, found):
        raise LogTruncated(
            f"the record at offset {expected['offset']} is not the one that was applied there (first found: offset "
            f"{found.offset}, time {found.timestamp_millis}): the log was cut and written anew, or is another log"
        )


def verify_next(next_offset: int, found: Record) -> None:
    """A record to apply must not lie below the checkpoint, where no record was before. Raises LogTruncated."""
    if found.offset < next_offset:
        raise LogTruncated(
            f"there is a record at offset {found.offset}, where none was when offsets below {next_offset} were passed: "
            f"the log was cut and written anew, or is another log"
        )


def first_other(next_offset: int, last: Fingerprint, found: Sequence[Record]) -> int | None:
    """Where what is read from the last applied record on shows another log: there, or before, it was cut.

    None: nothing shows it. `found` has one record at least.
    """
    if not is_same(last, found[0]):
        return last["offset"]
    return next((record.offset for record in found[1:] if record.offset < next_offset), None)
