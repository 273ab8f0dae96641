"""Where reading of a partition continues, and when that can't be known."""

import pytest

from consumer.core.position import (
    Bounds,
    Checkpoint,
    LogTruncated,
    ReadFrom,
    fingerprint,
    first_other,
    verify_first,
    verify_next,
    where_to_read,
)
from consumer.core.records import Record
from schemas.checkpoints import Fingerprint

LAST = Fingerprint(offset=9, timestamp=1000, crc=5)


@pytest.mark.parametrize(
    ("checkpoint", "bounds", "start"),
    [
        (Checkpoint(0), Bounds(0, 0), ReadFrom(0)),
        (Checkpoint(0), Bounds(0, 7), ReadFrom(0)),
        (Checkpoint(5), Bounds(5, 7), ReadFrom(5)),
        (Checkpoint(10, LAST), Bounds(0, 12), ReadFrom(9, LAST)),
        (Checkpoint(10, LAST), Bounds(9, 10), ReadFrom(9, LAST)),
        (Checkpoint(12, LAST), Bounds(9, 12), ReadFrom(9, LAST)),
        (Checkpoint(10, LAST), Bounds(10, 10), ReadFrom(10)),
        (Checkpoint(12, LAST), Bounds(11, 20), ReadFrom(11)),
        (Checkpoint(12, LAST), Bounds(10, 20), ReadFrom(10)),
        (Checkpoint(12), Bounds(11, 20), ReadFrom(12)),
    ],
)
def test_reading_goes_on_at_the_last_applied_record_or_behind_it(
    checkpoint: Checkpoint, bounds: Bounds, start: ReadFrom
) -> None:
    """The last one shows that the log still is the same; where retention has removed it, the next one is enough."""
    assert where_to_read(checkpoint, bounds) == start


@pytest.mark.parametrize(
    ("checkpoint", "bounds", "lost"),
    [
        (Checkpoint(10, LAST), Bounds(0, 9), "ends at 9"),
        (Checkpoint(10, LAST), Bounds(0, 0), "ends at 0"),
        (Checkpoint(10, LAST), Bounds(11, 20), "offsets 10 to 10 were removed"),
        (Checkpoint(0), Bounds(5, 9), "5 offsets are lost"),
    ],
)
def test_a_log_that_lacks_what_was_not_applied_is_not_read(checkpoint: Checkpoint, bounds: Bounds, lost: str) -> None:
    """It never guesses, and reports what is lost."""
    with pytest.raises(LogTruncated, match=lost):
        where_to_read(checkpoint, bounds)


@pytest.mark.parametrize(
    "found",
    [
        Record(10, 1000, None, b"a", []),
        Record(9, 1001, None, b"a", []),
        Record(9, 1000, None, b"b", []),
    ],
)
def test_another_record_at_the_last_offset_is_another_log(found: Record) -> None:
    """Offset, time and bytes."""
    expected = fingerprint(Record(9, 1000, b"key", b"a", []))
    verify_first(expected, Record(9, 1000, None, b"a", []))
    with pytest.raises(LogTruncated, match="offset 9"):
        verify_first(expected, found)


def test_a_record_that_is_kept_cut_is_the_same_under_any_limits() -> None:
    """Its offset and time tell."""
    expected = fingerprint(Record(9, 1000, None, b"a", []))
    verify_first(expected, Record(9, 1000, None, b"b", [], "a value of 2 bytes, more than any body may have"))
    with pytest.raises(LogTruncated, match="offset 9"):
        verify_first(expected, Record(9, 1001, None, b"a", [], "a value of 2 bytes, more than any body may have"))


def test_a_record_where_none_was_is_another_log() -> None:
    """No record was between the last applied one and the checkpoint, and none can have been written there since."""
    verify_next(12, Record(12, 1000, None, b"a", []))
    with pytest.raises(LogTruncated, match="a record at offset 11, where none was when offsets below 12 were passed"):
        verify_next(12, Record(11, 1000, None, b"a", []))


def test_a_log_was_cut_if_its_records_are_others_than_those_that_were_passed() -> None:
    """The last applied one, or one behind it and below the checkpoint."""
    last, behind, next_one = (Record(offset, 1000, None, b"a", []) for offset in (9, 11, 12))
    expected = fingerprint(last)
    assert first_other(12, expected, [last]) is None
    assert first_other(12, expected, [last, next_one]) is None
    assert behind.offset == first_other(12, expected, [last, behind])
    assert expected["offset"] == first_other(12, expected, [next_one])
