"""Offsets at the end that hold no record."""

import pytest

from consumer.core.gap import Gap, gap_of
from schemas.coordinates import PartitionId

OURS = PartitionId("r1", 0)


@pytest.mark.parametrize(("reached", "offsets"), [(None, None), (4, None), (5, None), (6, 1), (9, 4)])
def test_a_gap_lies_between_what_is_applied_and_what_has_been_read(reached: int | None, offsets: int | None) -> None:
    """There is none if reading is no further, or if that is unknown."""
    found = gap_of(OURS, 5, reached)
    assert (None if offsets is None else Gap(OURS, 5, 5 + offsets)) == found
    assert offsets == (found.offsets if found else None)
