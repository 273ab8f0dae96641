"""The grammar of hostile acts: repeatable, bounded, and every kind of it can be chosen by name."""

from itertools import islice
from random import Random

import pytest

from tests.samples import NOW
from tests.soak.acts import Act, Pause, Produce, Send, Talk, Transact
from tests.soak.bodies import BODIES, Caller
from tests.soak.connections import TALKS
from tests.soak.grammar import KINDS, acts, chosen
from tests.soak.records import PARTITIONS, RECORDS

WHO = Caller("player's token", "anonymous token", "stranger's token", NOW)

# What one act may cost the machine that it runs on.
MAX_BYTES = 64 << 20
MAX_COPIES = 300
MAX_PAUSES_SECONDS = 16.0
MAX_OPEN_SECONDS = 0.3


def size_of(act: Act) -> int:
    match act:
        case Talk():
            return sum(len(step.data) for step in act.steps if isinstance(step, Send)) * min(act.copies, 30)
        case Produce():
            return sum(len(record.value or b"") for record in act.records)
        case Transact():
            return sum(map(size_of, act.produced))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_bounded(name: str) -> None:
    """In bytes, connections and time, for any seed."""
    make, weight = KINDS[name]
    assert weight > 0
    for seed in range(15):
        act = make(Random(seed), WHO)  # noqa: S311 no secret
        assert size_of(act) <= MAX_BYTES
        match act:
            case Talk():
                pauses = sum(step.seconds for step in act.steps if isinstance(step, Pause))
                assert (pauses <= MAX_PAUSES_SECONDS, 1 <= act.copies <= MAX_COPIES) == (True, True)
            case Produce():
                assert 0 <= act.partition < PARTITIONS
            case Transact():
                assert act.open_seconds <= MAX_OPEN_SECONDS


def test_a_seed_gives_the_same_acts() -> None:
    """So that a run can be repeated. Another seed gives other acts."""
    names = [name for name in KINDS if name not in ("bombs", "expansion")]
    first, again, other = (list(islice(acts(seed, names, WHO), 50)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_short_run_too_has_every_kind() -> None:
    light = [name for name in KINDS if name not in ("bombs", "expansion")]
    assert sorted(light) == sorted(name for name, _ in islice(acts(1, light, WHO), len(light)))


def test_no_two_kinds_have_one_name() -> None:
    """The later one would hide the other."""
    assert len(KINDS) == len(BODIES) + len(TALKS) + len(RECORDS)


def test_kinds_are_chosen_by_name_or_left_out() -> None:
    """As `make soak KINDS=` takes them."""
    assert list(KINDS) == chosen("")
    assert ["bombs", "silent"] == chosen("bombs, silent")
    assert [name for name in KINDS if name != "bombs"] == chosen("-bombs")
    with pytest.raises(KeyError, match="no such kind: bomb;"):
        chosen("bomb")
