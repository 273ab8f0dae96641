"""B2: all that is wrong is named, in order, up to a number; and a body of nothing else costs no more than another."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.games.body import parse_request
from schemas.wire.malformed import MAX_VIOLATIONS, MalformedBody
from tests.examples import examples
from tests.samples import batch, period, update

MIB = 1 << 20
# Listing all that is wrong takes hundreds of MB, and with them the seconds.
MOST_BYTES = 48_000_000

GOOD_PERIOD = json.dumps({"timePeriod": {"periodStartMillis": 1, "periodEndMillis": 2}})
UNKNOWN = ",".join(f'"{number}":1' for number in range(90_000))


def fields_of(body: bytes) -> list[str]:
    with pytest.raises(MalformedBody) as caught:
        parse_request(body)
    return [violation.field for violation in caught.value.violations]


def repeated(part: str) -> str:
    return ",".join([part] * ((MIB - 200) // (len(part) + 1)))


@settings(deadline=None, max_examples=examples(30))
@given(
    st.dictionaries(st.tuples(st.integers(0, 149), st.integers(0, 2)), st.sampled_from(["count", "name"]), max_size=30)
)
def test_b2_each_of_several_wrong_values_is_named_in_order(damage: dict[tuple[int, int], str]) -> None:
    """B2: wherever among how many good ones; the first twenty."""
    periods = [period(update(), update(), update()) for _ in range(150)]
    for (i, j), what in damage.items():
        periods[i]["updates"][j] = update(count="x") if what == "count" else {"definitionId": 7, "updateCount": 1}
    expected = [
        f"timePeriods[{i}].updates[{j}].{'updateCount' if what == 'count' else 'definitionId'}"
        for (i, j), what in sorted(damage.items())
    ]
    if damage:
        assert expected[:MAX_VIOLATIONS] == fields_of(batch(*periods))
    else:
        assert parse_request(batch(*periods))


def test_b2_fields_come_before_arrays_and_unknown_names_last() -> None:
    """B2: at every level; an array that is none is a field."""
    bad: dict[str, Any] = {"odd": 1, "updates": [{"definitionId": 1}], "timePeriod": {"also": 1}, "kind": 2}
    expected = [
        "currentTimeMillis",
        "timePeriods[0].kind",
        "timePeriods[0].timePeriod.periodStartMillis",
        "timePeriods[0].timePeriod.periodEndMillis",
        "timePeriods[0].timePeriod.also",
        "timePeriods[0].updates[0].definitionId",
        "timePeriods[0].updates[0].updateCount",
        "timePeriods[0].odd",
        "timePeriods[1]",
        "timePeriods[2].updates",
        "more",
    ]
    last = {**period(), "updates": 7}
    assert expected == fields_of(batch(bad, 7, last, more=1, currentTimeMillis="x"))  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    "body",
    [
        f'{{"requestId":"7","timePeriods":[{repeated("7")}]}}',
        f'{{"requestId":"7","timePeriods":[{repeated("{}")}]}}',
        f'{{"requestId":"7","timePeriods":[{repeated(GOOD_PERIOD)},7]}}',
        f'{{"requestId":"7","timePeriods":[{{"timePeriod":{{{UNKNOWN}}},"updates":[]}}]}}',
        f'{{"requestId":"7",{UNKNOWN}}}',
    ],
    ids=["numbers", "objects", "the last of many", "unknown names inside", "unknown names"],
)
def test_b2_a_large_body_of_wrong_values_is_refused_without_listing_them_all(body: str) -> None:
    """B2: or one client could keep an ingress from all others, without ever being counted."""
    tracemalloc.start()
    try:
        assert 1 <= len(fields_of(body.encode())) <= MAX_VIOLATIONS
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MOST_BYTES
