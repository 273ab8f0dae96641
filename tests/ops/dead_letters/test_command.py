"""Which dead letters are chosen, and how they are shown; without any server."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer

from schemas.documents import utc
from serving.dead_letters.store import (
    Chosen,
    Database,
    filter_of,
    readable,
    redrive,
    summary,
    text_of,
    topic_of,
)
from tests.samples import NOW

LETTER: dict[str, Any] = {
    "_id": "r1/00/3",
    "value": b"\xff\x00",
    "headers": [["ce_id", b"7"], ["empty", None]],
    "key": b"demo/ann",
    "reason": "not a batch",
    "at": utc(NOW),
}


def test_letters_are_chosen_by_id_reason_and_whether_they_were_redriven() -> None:
    """The reason is literal text, not a regular expression."""
    assert {} == filter_of(Chosen())
    some = Chosen(identities=("r1/00/3",), again=False)
    assert {"_id": {"$in": ["r1/00/3"]}, "redriven": {"$exists": False}} == filter_of(some)
    assert {"reason": {"$regex": r"a\.b\(", "$options": "i"}} == filter_of(Chosen(reason="a.b("))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b'{"a":\n1}', '{"a":\n1}'), ("é".encode(), "é"), (b"\xff", "hex:ff"), (b"\x1b[2J", "hex:1b5b324a"), (b"", "")],
)
def test_bytes_are_shown_as_text_unless_a_terminal_would_obey_them(value: bytes, expected: str) -> None:
    """Or they are no text."""
    assert expected == text_of(value)


def test_a_letter_is_shown_whole_and_listed_short() -> None:
    """The list has sizes instead of bytes."""
    assert {
        "id": "r1/00/3",
        "at": utc(NOW).isoformat(),
        "reason": "not a batch",
        "key": "demo/ann",
        "bytes": 2,
        "cut": None,
        "redriven": None,
        "headers": [["ce_id", "7"], ["empty", None]],
        "value": "hex:ff00",
    } == readable(LETTER)
    listed = summary({**LETTER, "size": 9, "redriven": utc(NOW), "key": None})
    assert (9, utc(NOW).isoformat(), None) == (listed["bytes"], listed["redriven"], listed["key"])


def test_a_letter_that_was_cut_shows_what_it_was() -> None:
    """The size is the record's, not that of the kept part."""
    cut = {"bytes": 60_000_000, "sha256": "0" * 64, "headers": 0}
    listed = summary({**LETTER, "cut": cut})
    assert (60_000_000, cut) == (listed["bytes"], listed["cut"])


async def test_a_letter_that_was_cut_is_not_redriven() -> None:
    """The kept part would be another record."""
    db = cast("Database", _OneLetter({**LETTER, "cut": {"bytes": 9, "sha256": "", "headers": 0}}))
    done, problem = await redrive(db, cast("AIOKafkaProducer", None), ["r1/00/3"], None)
    assert (done, "it was too large" in problem) == (0, True)


async def test_no_letter_is_begun_when_the_time_is_over() -> None:
    """A request of the console ends before the process that serves it may stop."""
    db = cast("Database", _OneLetter(LETTER))
    done, problem = await redrive(db, cast("AIOKafkaProducer", None), ["r1/00/3"], None, within_seconds=-1)
    assert (done, problem) == (0, "stopped after -1 s")


class _OneLetter:
    """A database that has one letter, and no lineage."""

    def __init__(self, letter: dict[str, Any]) -> None:
        self._letter = letter

    def __getitem__(self, _collection: str) -> "_OneLetter":
        return self

    async def find_one(self, _wanted: object) -> dict[str, Any]:
        return self._letter

    async def find(self, *_wanted: object) -> AsyncIterator[dict[str, Any]]:
        nothing: list[dict[str, Any]] = []
        for lineage in nothing:
            yield lineage


def test_the_lineage_of_a_letter_tells_its_topic() -> None:
    """Each API's letters go back to its topic. The topic of an unknown lineage is unknown."""
    by_lineage = {"r1": "batches", "r2": "pools"}
    assert ["batches", "pools", None] == [topic_of({"_id": f"r{n}/00/3"}, by_lineage) for n in (1, 2, 3)]
