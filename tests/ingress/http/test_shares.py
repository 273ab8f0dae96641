"""How a bounded number of bytes is shared: laws that hold after any sequence of takes and returns."""

from hypothesis import given
from hypothesis import strategies as st

from ingress.http.shares import UNKNOWN, UNKNOWN_SMALL, Holder, Shares, holder_of, holder_of_key

MAX = 1_000

HOLDERS = st.builds(Holder, st.sampled_from(["a", "b", UNKNOWN, UNKNOWN_SMALL]), st.sampled_from("xyz"))
STEPS = st.lists(st.tuples(HOLDERS, st.integers(1, MAX), st.booleans()), max_size=60)


def filled(holder: Holder, size_bytes: int, shares: Shares) -> int:
    """How much of it one holder gets that never stops."""
    held = 0
    while shares.take(holder, size_bytes):
        held += size_bytes
    return held


@given(STEPS)
def test_never_more_than_all_is_held_and_all_of_it_comes_back(steps: list[tuple[Holder, int, bool]]) -> None:
    """Whoever takes and returns, in any order. Returned shares leave no trace."""
    shares = Shares(MAX)
    taken: list[tuple[Holder, int]] = []
    for holder, size, returns in steps:
        if returns and taken:
            shares.give_back(*taken.pop())
        elif shares.take(holder, size):
            taken.append((holder, size))
        assert shares.held_bytes == sum(size for _, size in taken) <= MAX
    for one in taken:
        shares.give_back(*one)
    assert (0, 0) == (shares.held_bytes, len(shares))


def test_one_player_leaves_half_and_one_app_a_quarter() -> None:
    """However much they send."""
    assert filled(Holder("a", "x"), 1, Shares(MAX)) == MAX // 2
    shares = Shares(MAX)
    assert sum(filled(Holder("a", f"p{n}"), 1, shares) for n in range(500)) <= MAX * 3 // 4 + 1
    assert shares.take(Holder("b", "x"), MAX // 5)


def test_the_unknown_together_leave_half_and_an_address_four_fifths() -> None:
    """There is room for known senders beside them."""
    assert filled(Holder(UNKNOWN, "192.0.2.1"), 1, Shares(MAX)) == MAX // 5
    shares = Shares(MAX)
    assert sum(filled(Holder(UNKNOWN, f"192.0.2.{n}"), 1, shares) for n in range(500)) <= MAX // 4 + 1
    for number in range(500):
        filled(Holder(UNKNOWN_SMALL, f"192.0.2.{number}"), 1, shares)
    assert shares.held_bytes < MAX // 2
    assert shares.take(Holder("a", "x"), MAX // 3)


@given(st.integers(1, MAX))
def test_a_first_body_is_bounded_by_what_is_free_alone(size: int) -> None:
    """Or a small room could never take a large body."""
    for group in ("a", UNKNOWN):
        assert Shares(MAX).take(Holder(group, "x"), size)
        assert not Shares(size - 1).take(Holder(group, "x"), size)


def test_anonymous_actors_of_an_app_are_one_holder() -> None:
    """A client that can get one anonymous token can get many."""
    assert holder_of("demo", "~1") == holder_of("demo", "~2") == holder_of_key(b"demo/~3")
    assert holder_of_key(b"demo/ann") == holder_of("demo", "ann") != holder_of("demo", "bob")
