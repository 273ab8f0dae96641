"""What the observer makes of documents: refusals a second, and the results of commands."""

from datetime import UTC, datetime
from typing import Any

import pytest

from console.observer.mongodb import COUNTED_EXCEPTIONS, check_of, rates_of
from console.observer.snapshot import Check
from schemas.documents import utc
from tests.console.snapshots import NOW


def group(cause: str | None, records: int, seconds_ago: float = 30) -> dict[str, Any]:
    return {"_id": cause, "records": records, "oldest": utc(NOW - int(seconds_ago * 1000))}


def test_refusals_are_of_the_last_minute_the_most_frequent_first() -> None:
    """Of workers and of the sample. Duplicates are no refusals."""
    found = rates_of([group("NOT_FOUND", 6), group(None, 600)], ["TOO_LARGE"] * 9 + ["NOT_FOUND"] * 3, NOW)
    assert [("NOT_FOUND", 0.15), ("TOO_LARGE", 0.15)] == list(found.items())
    assert {} == rates_of([], [], NOW)


def test_more_exceptions_than_are_counted_are_a_shorter_time() -> None:
    """Duplicates are among them, so the time is that of the oldest of all."""
    many = [group("NOT_FOUND", 1_000, 4), group(None, COUNTED_EXCEPTIONS - 1_000, 5)]
    assert {"NOT_FOUND": 200} == rates_of(many, [], NOW)


@pytest.mark.parametrize(
    ("document", "check"),
    [
        ({"at": utc(NOW), "ok": True, "detail": "x", "seconds": 1.5}, Check(NOW, ok=True, detail="x")),
        ({"at": utc(NOW), "ok": False}, Check(NOW, ok=False, detail="")),
        ({"at": "yesterday", "ok": True}, None),
        ({"at": datetime(2026, 11, 28, tzinfo=UTC), "ok": "yes"}, None),
        ({}, None),
    ],
)
def test_a_result_that_this_version_can_not_read_is_left_out(document: dict[str, Any], check: Check | None) -> None:
    assert check == check_of(document)
