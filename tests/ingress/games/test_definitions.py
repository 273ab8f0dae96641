"""Which events an app has declared (G11, G12)."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ingress.games import definitions
from ingress.games.definitions import NOT_FOUND_SECONDS, POLL_SECONDS, REFRESH_SECONDS, Definitions, terms_of
from ingress.memory import MemoryStore
from ingress.mongo import READ_TIMEOUT_MILLIS, _definitions
from ingress.ports import Unavailable
from schemas.definitions import Definition, DefinitionTerm
from schemas.documents import utc
from tests.clock import TestClock
from tests.ingress.rig import NOW


def cache() -> tuple[Definitions, MemoryStore, TestClock]:
    store, clock = MemoryStore(), TestClock()
    store.declare("demo", "A", "B")
    return Definitions(store, clock), store, clock


def definition(name: str, from_millis: int, to_millis: int | None = None, **more: object) -> Definition:
    until = None if to_millis is None else utc(to_millis)
    texts = {"app": "demo", "defaultLanguage": "en", "names": {"en": name}}
    return Definition.model_validate(
        {**texts, "definitionId": name, "declaredAt": utc(from_millis), "retiredAt": until, **more}
    )


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


async def test_many_made_up_ids_at_once_cost_few_reads() -> None:
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
    store.declare("demo", "A", retired_at=utc(NOW))
    assert "A" in await one.declared("demo", NOW, ["B"])
    clock.skipped_seconds += REFRESH_SECONDS + 1
    await one.declared("demo", NOW, ["B"])
    await asyncio.gather(*one._reads.values())
    assert await one.declared("demo", NOW, ["B"]) == {"B"}
    assert await one.declared("demo", NOW - 1, ["B"]) == {"A", "B"}


def test_g12_terms_are_in_force_from_their_start_to_before_their_end() -> None:
    terms = terms_of([definition("A", 10, 20), definition("B", 15)])
    assert [sorted(terms.at(millis)) for millis in (9, 10, 15, 19, 20)] == [[], ["A"], ["A", "B"], ["A", "B"], ["B"]]


def test_an_app_without_definitions_has_none_at_any_time() -> None:
    assert terms_of([]).at(NOW) == frozenset()


def test_g12_terms_hold_the_times_before_a_definition_was_declared_again() -> None:
    """A record of then is judged by its own time."""
    earlier = (DefinitionTerm(declared_at=utc(10), retired_at=utc(20)),)
    terms = terms_of([definition("A", 30, earlier=earlier)])
    assert [False, True, False, True] == ["A" in terms.at(millis) for millis in (9, 10, 20, 30)]


async def test_what_changed_is_read_again_and_nothing_else() -> None:
    """A text, a retirement: noticed by the next poll, without anyone asking for the app."""
    one, store, _ = cache()
    store.declare("other", "X")
    await one.preload()
    await one.poll()
    assert "definitions" not in store.reads
    store.declare("demo", "A", retired_at=utc(NOW), names={"en": "Changed"})
    await one.poll()
    assert {"B"} == await one.declared("demo", NOW, ["B"])
    assert "Changed" == one.known("demo")["A"].names["en"]
    await one.poll()
    assert 1 == store.reads["definitions"]


def test_g20_a_change_is_known_within_5_s() -> None:
    """By the next poll; that a running ingress polls, test_lists_real.py shows."""
    assert POLL_SECONDS + READ_TIMEOUT_MILLIS / 1000 <= 5


async def test_a_change_that_could_not_be_read_is_read_by_the_next_poll() -> None:
    """The failed poll does not count as seen."""
    one, store, _ = cache()
    await one.preload()
    store.declare("demo", "A", names={"en": "Changed"})
    store.away = True
    with pytest.raises(Unavailable):
        await one.poll()
    store.away = False
    await one.poll()
    assert "Changed" == one.known("demo")["A"].names["en"]


async def test_of_an_app_that_nobody_asked_for_changes_are_not_read() -> None:
    """They will be read when a request needs them."""
    one, store, _ = cache()
    await one.preload()
    store.declare("other", "X")
    await one.poll()
    assert "definitions" not in store.reads
    assert ["X"] == list(await one.of("other"))
    assert {} == one.known("never-heard-of")


async def test_an_app_with_more_definitions_than_are_kept_is_kept_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """One app alone may fill the cache, and none is refused for its size."""
    monkeypatch.setattr(definitions, "MAX_DEFINITIONS", 1)
    one, _, _ = cache()
    assert ["A", "B"] == sorted(await one.of("demo"))


def test_a_definition_that_another_program_wrote_wrongly_hides_no_other() -> None:
    """One line names it and its fields, without pydantic's words."""
    good = definition("A", NOW)
    with capture_logs() as logs:
        assert [good] == _definitions([good.document() | {"_id": "demo/B", "names": 7, "app": 1}, good.document()])
    (line,) = logs
    expected = "app: Input should be a valid string; names: Input should be a valid dictionary"
    assert ("definition_not_readable", "demo/B", expected) == (line["event"], line["definition"], line["reason"])
