"""The balance of one topic."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.balance import Balance, balance_of


def checkpoint(partition: int, start: int, following: int, gaps: int = 0, **fates: int) -> dict[str, Any]:
    none = dict.fromkeys(("applied", "duplicate", "refused", "dead"), 0)
    return {"_id": f"r1/{partition:02}", "start": start, "next": following, "gaps": gaps, "fates": {**none, **fates}}


def test_what_was_accepted_is_what_became_of_it_and_what_is_in_flight() -> None:
    """Over all partitions, one without a checkpoint too."""
    found = [checkpoint(0, 2, 9, gaps=1, applied=4, duplicate=2), checkpoint(1, 0, 0)]
    balance = balance_of(found, {0: (1, 10), 1: (0, 3), 2: (5, 7)})
    assert Balance(accepted=13, applied=4, duplicate=2, gaps=1, in_flight=6) == balance
    assert balance.holds
    assert not balance_of([checkpoint(0, 2, 9, applied=5)], {0: (0, 9)}).holds


def test_a_log_that_was_cut_below_its_checkpoint_does_not_balance() -> None:
    """What was counted and is no longer in the log is missing."""
    assert -3 == balance_of([checkpoint(0, 0, 9, applied=9)], {0: (0, 6)}).difference


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 6), max_size=4))
def test_offsets_that_all_have_a_fate_or_wait_balance(partitions: list[tuple[int, ...]]) -> None:
    """Whatever the partitions are, each offset counts once."""
    found, bounds = [], {}
    for number, (start, applied, duplicate, dead, gaps, waiting) in enumerate(partitions):
        following = start + applied + duplicate + dead + gaps
        found.append(checkpoint(number, start, following, gaps, applied=applied, duplicate=duplicate, dead=dead))
        bounds[number] = (start, following + waiting)
    balance = balance_of(found, bounds)
    assert 0 == balance.difference
    assert sum(waiting for *_, waiting in partitions) == balance.in_flight
