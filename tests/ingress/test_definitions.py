"""Which events an app has declared (G11, G12)."""

import asyncio

import pytest

from ingress.definitions import NOT_FOUND_SECONDS, REFRESH_SECONDS, Definitions, terms_of
from ingress.memory import MemoryStore
from ingress.ports import DefinitionTerm, Unavailable
from tests.ingress.rig import NOW, TestClock


def cache() -> tuple[Definitions, MemoryStore, TestClock]:
    store, clock = MemoryStore(), TestClock()
    store.declare("demo", "A", "B")
    return Definitions(store, clock), store, clock


async def test_a_known_id_is_answered_without_mongodb() -> None:
    one, store, _ = cache()
    await one.preload()
    store.away = True
    assert await one.declared("demo", NOW, ["A"]) == {"A", "B"}
    assert "definitions" not in store.reads


async def test_g11_an_unknown_id_is_looked_for_and_once_a_second_at_most() -> None:
    one, store, clock = cache()
    await one.preload()
    for _ in range(5):
        assert "C" not in await one.declared("demo", NOW, ["A", "C"])
    assert store.reads["definitions"] == 1
    store.declare("demo", "C")
    clock.skipped_seconds += NOT_FOUND_SECONDS + 1
    assert "C" in await one.declared("demo", NOW, ["C"])


async def test_g11_an_id_that_was_never_asked_for_is_looked_for_at_once() -> None:
    one, store, _ = cache()
    await one.declared("demo", NOW, ["C"])
    store.declare("demo", "D")
    assert "D" in await one.declared("demo", NOW, ["D"])


async def test_g11_what_cannot_be_an_id_is_not_looked_for() -> None:
    one, store, _ = cache()
    await one.preload()
    await one.declared("demo", NOW, ["", "a/b", "x" * 65])
    assert "definitions" not in store.reads


async def test_many_made_up_ids_at_once_cost_few_looks() -> None:
    one, store, _ = cache()
    await one.preload()
    await asyncio.gather(*(one.declared("demo", NOW, [f"made-up-{n}"]) for n in range(100)))
    assert store.reads["definitions"] <= 3


async def test_an_unknown_id_with_mongodb_away_is_not_called_unknown() -> None:
    one, store, _ = cache()
    await one.preload()
    store.away = True
    with pytest.raises(Unavailable):
        await one.declared("demo", NOW, ["C"])


async def test_an_app_never_heard_of_has_no_definitions() -> None:
    one, _, _ = cache()
    await one.preload()
    assert await one.declared("other", NOW, ["A"]) == frozenset()


async def test_g12_a_retired_definition_is_noticed_by_and_by() -> None:
    one, store, clock = cache()
    await one.preload()
    store.declared["demo"] = [DefinitionTerm("A", 0, NOW), DefinitionTerm("B", 0, None)]
    assert "A" in await one.declared("demo", NOW, ["B"])
    clock.skipped_seconds += REFRESH_SECONDS + 1
    await one.declared("demo", NOW, ["B"])
    await asyncio.gather(*one._looks.values())
    assert await one.declared("demo", NOW, ["B"]) == {"B"}
    assert await one.declared("demo", NOW - 1, ["B"]) == {"A", "B"}


def test_g12_terms_are_in_force_from_their_start_to_before_their_end() -> None:
    terms = terms_of([DefinitionTerm("A", 10, 20), DefinitionTerm("B", 15, None)])
    assert [sorted(terms.at(millis)) for millis in (9, 10, 15, 19, 20)] == [[], ["A"], ["A", "B"], ["A", "B"], ["B"]]


def test_an_app_without_definitions_has_none_at_any_time() -> None:
    assert terms_of([]).at(NOW) == frozenset()
