"""The shares of a group's members: whole, even, stable, and the same for every leader."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.sharing import Claim, share_out

MEMBERS = st.text("abcdef", min_size=1, max_size=2)
CLAIMS = st.builds(Claim, st.integers(-1, 3), st.frozensets(st.integers(-1, 13), max_size=13))
GROUPS = st.dictionaries(MEMBERS, CLAIMS, min_size=1, max_size=6)
PARTITIONS = st.integers(0, 12)


@given(GROUPS, PARTITIONS)
def test_every_partition_has_one_owner_and_shares_are_even(claims: dict[str, Claim], partitions: int) -> None:
    """Whatever the members claim: the same partition twice, or one that isn't there."""
    shares = share_out(claims, partitions)
    assert shares.keys() == claims.keys()
    assert list(range(partitions)) == sorted(one for share in shares.values() for one in share)
    sizes = [len(share) for share in shares.values()]
    assert max(sizes) - min(sizes) <= 1


@given(GROUPS, PARTITIONS)
def test_the_order_of_the_claims_decides_nothing(claims: dict[str, Claim], partitions: int) -> None:
    """The coordinator lists members in any order."""
    assert share_out(claims, partitions) == share_out(dict(reversed(claims.items())), partitions)


@given(st.lists(st.frozensets(st.integers(0, 5), max_size=6), min_size=1, max_size=4), st.integers(0, 6))
def test_no_even_shares_leave_more_where_it_is(wanted: list[frozenset[int]], partitions: int) -> None:
    """Compared with every even assignment: no partition moves without need."""
    taken: set[int] = set()
    claims = {}
    for number, some in enumerate(wanted):
        claims[f"m{number}"] = Claim(1, some - taken)
        taken |= some
    shares = share_out(claims, partitions)
    kept = sum(len(shares[member] & claim.partitions) for member, claim in claims.items())
    least, odd = divmod(partitions, len(claims))
    sizes = [least + (place < odd) for place in range(len(claims))]
    real = [len([one for one in claim.partitions if one < partitions]) for claim in claims.values()]
    assert kept == max(sum(map(min, real, order)) for order in permutations(sizes))


@given(GROUPS, PARTITIONS)
def test_shares_once_given_stay(claims: dict[str, Claim], partitions: int) -> None:
    """A rebalance with the same members moves nothing."""
    shares = share_out(claims, partitions)
    again = {member: Claim(9, share) for member, share in shares.items()}
    assert shares == share_out(again, partitions)


def test_a_dead_members_partitions_go_to_the_one_that_joins_for_it() -> None:
    """Three members with four partitions each; one is killed and started again. The others keep theirs."""
    claims = {"a": Claim(7, frozenset({0, 3, 6, 9})), "b": Claim(7, frozenset({1, 4, 7, 10})), "new": Claim()}
    assert {
        "a": frozenset({0, 3, 6, 9}),
        "b": frozenset({1, 4, 7, 10}),
        "new": frozenset({2, 5, 8, 11}),
    } == share_out(claims, 12)


@pytest.mark.parametrize(("slept", "worked"), [("a", "b"), ("b", "a")])
def test_the_newer_claim_counts(slept: str, worked: str) -> None:
    """One that slept claims what was given to another meanwhile. Their names decide nothing."""
    claims = {slept: Claim(3, frozenset({0, 1})), worked: Claim(5, frozenset({0, 1, 2, 3}))}
    shares = share_out(claims, 4)
    assert frozenset({0, 1}) == shares[worked]


def test_no_members_no_shares() -> None:
    """The case does not occur, but must not divide by zero."""
    assert {} == share_out({}, 4)
