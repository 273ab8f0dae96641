"""The check itself: answers that Google's document doesn't declare are found."""

from typing import Any

import pytest

from tests.clients.discovery import problems

EVENT = {
    "kind": "games#playerEvent",
    "playerId": "ann",
    "definitionId": "LEVEL_UP",
    "numEvents": "3",
    "formattedNumEvents": "3",
}


def listed(**changed: object) -> dict[str, Any]:
    event = {name: value for name, value in (EVENT | changed).items() if value is not None}
    return {"kind": "games#playerEventListResponse", "items": [event]}


def test_an_answer_as_declared_has_no_problems() -> None:
    """The last page lacks its token, nothing else."""
    assert [] == problems("listByPlayer", listed())


@pytest.mark.parametrize(
    ("name", "value"),
    [("numEvents", 3), ("numEvents", "03"), ("kind", "games#event"), ("playerId", None), ("more", "1")],
)
def test_an_answer_otherwise_is_told_with_its_place(name: str, value: object) -> None:
    """A number for an int64, padding, another kind, a missing field, one too many."""
    (problem,) = problems("listByPlayer", listed(**{name: value}))
    assert problem.startswith("$.items[0]")
    assert name in problem or str(value) in problem
