"""A dead letter as a person reads it."""

from typing import Any, Final

from ops.dead_letters.command import letter_text

LETTER: Final[dict[str, Any]] = {
    "id": "r1/03/7",
    "at": "2026-11-29T08:40:45+00:00",
    "reason": "not a batch",
    "key": None,
    "bytes": 9,
    "cut": None,
    "redriven": None,
    "headers": [],
    "value": "two\nlines",
    "topic": "t",
}


def test_fields_without_a_value_are_left_out() -> None:
    """Nor is there Python's None, or an empty list."""
    expected = "id: r1/03/7\nat: 2026-11-29T08:40:45+00:00\nreason: not a batch\nbytes: 9\ntopic: t\nvalue: two\nlines"
    assert expected == letter_text(LETTER)


def test_headers_and_what_was_cut_have_lines_of_their_own() -> None:
    """A header may come twice, and none can add a line of its own making."""
    cut = {"bytes": 70_000, "sha256": "ab", "headers": 3}
    text = letter_text({**LETTER, "cut": cut, "headers": [["a", "1"], ["a", "2\nid: r9/00/0"], ["b", None]]})
    expected = [
        "whole bytes: 70000",
        "whole sha256: ab",
        "whole headers: 3",
        "header a: 1",
        r"header a: 2\nid: r9/00/0",
    ]
    assert expected == text.splitlines()[5:10]
