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
    """Also one whose time is ahead of the worker's clock, and one that is slower than all buckets."""
    buckets = visible_buckets([NOW - age for age in ages], NOW)
    assert len(ages) == sum(buckets.values())
    assert set(buckets) <= {*map(str, BOUNDS_MILLIS), SLOWER}


@given(_ages, st.sampled_from([0.5, 0.99]))
def test_a_quantile_is_in_the_bucket_of_the_record_that_it_is(ages: list[int], quantile: float) -> None:
    found = quantile_seconds(visible_buckets([NOW - age for age in ages], NOW), quantile)
    exact = sorted(ages)[max(0, -int(-quantile * len(ages) // 1) - 1)]
    place = bisect.bisect_left(BOUNDS_MILLIS, exact)
    low, high = (0, *BOUNDS_MILLIS)[place], (*BOUNDS_MILLIS, BOUNDS_MILLIS[-1])[place]
    assert found is not None
    assert low <= found * 1000 <= high


@pytest.mark.parametrize("counts", [{}, {"250": 0}])
def test_without_records_there_is_no_quantile(counts: dict[str, int]) -> None:
    assert quantile_seconds(counts, 0.5) is None
