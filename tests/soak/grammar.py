"""All hostile kinds, and the endless sequence of acts that a seed gives. Pure.

A new kind is a function in bodies.py, connections.py or records.py with a name; it comes up here by itself.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from tests.soak.acts import Act
from tests.soak.bodies import BODIES, Caller, MakeBody
from tests.soak.connections import TALKS
from tests.soak.framing import talk_of
from tests.soak.records import RECORDS

MakeAct = Callable[[Random, Caller], Act]


def _framed(make: MakeBody) -> MakeAct:
    return lambda chance, who: talk_of(chance, make(chance, who))


KINDS: dict[str, tuple[MakeAct, float]] = {
    **{name: (_framed(make), weight) for name, (make, weight) in BODIES.items()},
    **TALKS,
    **RECORDS,
}


def chosen(names: str) -> list[str]:
    """Kinds by a comma list: empty means all, `-kind` leaves one out. Raises KeyError for an unknown one."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name.lstrip("-") not in KINDS]
    if unknown:
        raise KeyError(f"no such kind: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    without = {name[1:] for name in wanted if name.startswith("-")}
    named = [name for name in wanted if not name.startswith("-")] or list(KINDS)
    return [name for name in named if name not in without]


def acts(seed: int, names: Sequence[str], who: Caller) -> Iterator[tuple[str, Act]]:
    """Each kind once, then kinds by their weight, each act another. The same for the same seed, kinds and caller."""
    chance = Random(seed)  # noqa: S311 no secret: a run that can be run again
    for name in _in_turn(chance, names):
        yield name, KINDS[name][0](Random(chance.getrandbits(64)), who)  # noqa: S311 the same


def _in_turn(chance: Random, names: Sequence[str]) -> Iterator[str]:
    yield from chance.sample(names, len(names))
    weights = [KINDS[name][1] for name in names]
    while True:
        yield from chance.choices(list(names), weights)
