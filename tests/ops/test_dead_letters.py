"""Which dead letters are chosen, and how they are shown; without any server."""

from typing import Any

import pytest

from ops.dead_letters.store import Chosen, filter_of, readable, summary, text_of, topic_of
from schemas.documents import utc
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
    """The reason is taken as it is written: no expression of somebody else's."""
    assert {} == filter_of(Chosen())
    assert {"_id": "r1/00/3", "redriven": {"$exists": False}} == filter_of(Chosen(identity="r1/00/3", again=False))
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
        "redriven": None,
        "headers": [["ce_id", "7"], ["empty", None]],
        "value": "hex:ff00",
    } == readable(LETTER)
    listed = summary({**LETTER, "size": 9, "redriven": utc(NOW), "key": None})
    assert (9, utc(NOW).isoformat(), None) == (listed["bytes"], listed["redriven"], listed["key"])


def test_the_lineage_of_a_letter_tells_its_topic() -> None:
    """Each API's letters go back to its own; of an unknown lineage nobody knows."""
    by_lineage = {"r1": "batches", "r2": "pools"}
    assert ["batches", "pools", None] == [topic_of({"_id": f"r{n}/00/3"}, by_lineage) for n in (1, 2, 3)]
