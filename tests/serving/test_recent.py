"""The cache of what was used last, compared with cachetools' own."""

from cachetools import LRUCache
from hypothesis import given
from hypothesis import strategies as st

from serving.recent import Recent

KEYS = st.integers(0, 7)
STEPS = st.lists(
    st.tuples(st.just("get"), KEYS, st.just(0)) | st.tuples(st.just("set"), KEYS, st.integers(1, 5)), max_size=60
)


@given(STEPS, st.integers(5, 12))
def test_it_keeps_what_an_lru_cache_keeps(steps: list[tuple[str, int, int]], most: int) -> None:
    """Values count by their size, which is themselves here."""
    recent: Recent[int, int] = Recent(most, lambda value: value)
    model: LRUCache[int, int] = LRUCache(most, lambda value: value)
    for what, key, value in steps:
        if what == "set":
            recent[key] = model[key] = value
        else:
            assert model.get(key) == recent.get(key)
        assert {key: key in model for key in range(8)} == {key: key in recent for key in range(8)}
    assert len(model) == len(recent)


def test_after_clearing_there_is_room_again() -> None:
    """For as much as before."""
    recent: Recent[str, str] = Recent(2)
    for key in "abc":
        recent[key] = key
    recent.clear()
    for key in "de":
        recent[key] = key
    assert (2, None, "d", "e") == (len(recent), recent.get("c"), recent.get("d"), recent.get("e"))
