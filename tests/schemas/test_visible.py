"""How long records took, as counts by bucket, and the quantiles of these."""

import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.visible import BOUNDS_MILLIS, SLOWER, quantile_seconds, visible_buckets

NOW = 1_795_392_000_000
_ages = st.lists(st.integers(-100, 700_000), min_size=1, max_size=60)


@given(_ages)
def test_every_record_is_in_one_bucket(ages: list[int]) -> None:
    """Also where times are not in order, one is ahead of the worker's clock, or slower than all buckets."""
    buckets = visible_buckets(ages, lambda age: NOW - age, NOW)
    assert len(ages) == sum(buckets.values())
    assert set(buckets) <= {*map(str, BOUNDS_MILLIS), SLOWER}


@given(_ages, st.sampled_from([0.5, 0.99]))
def test_a_quantile_is_in_the_bucket_of_the_record_that_it_is(ages: list[int], quantile: float) -> None:
    in_order = sorted(ages, reverse=True)
    found = quantile_seconds(visible_buckets(in_order, lambda age: NOW - age, NOW), quantile)
    exact = sorted(ages)[max(0, -int(-quantile * len(ages) // 1) - 1)]
    place = bisect.bisect_left(BOUNDS_MILLIS, exact)
    low, high = (0, *BOUNDS_MILLIS)[place], (*BOUNDS_MILLIS, BOUNDS_MILLIS[-1])[place]
    assert found is not None
    assert low <= found * 1000 <= high


@pytest.mark.parametrize("counts", [{}, {"250": 0}])
def test_without_records_there_is_no_quantile(counts: dict[str, int]) -> None:
    assert quantile_seconds(counts, 0.5) is None


def test_a_record_is_in_the_bucket_of_its_bound() -> None:
    ages = [700_000, 600_000, 251, 250, 101, 5, 0, -3]
    expected = {"5": 3, "250": 2, "500": 1, "600000": 1, SLOWER: 1}
    assert expected == visible_buckets(ages, lambda age: NOW - age, NOW)


def test_a_quantile_that_is_slower_than_all_buckets_is_the_last_bound() -> None:
    assert BOUNDS_MILLIS[-1] / 1000 == quantile_seconds({"5": 1, SLOWER: 3}, 0.5)
