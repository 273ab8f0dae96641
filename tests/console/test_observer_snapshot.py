"""A snapshot as JSON, as it is agreed with the page."""

from console.observer.snapshot import Snapshot
from tests.console.snapshots import NOW, example_snapshot


def test_times_are_rfc_3339_and_unknown_numbers_null() -> None:
    answer = Snapshot(NOW, "unknown", NOW - 1, ("nothing was read yet",)).as_json()
    assert ("2026-11-23T00:01:00.000Z", "2026-11-23T00:00:59.999Z") == (answer["asOf"], answer["since"])
    assert (None, None, []) == (answer["lastVerify"], answer["lastDoctor"], answer["topics"])


def test_the_history_has_one_value_a_step() -> None:
    """Null where a step did not reach a server."""
    history = example_snapshot().as_json()["history"]
    assert [118.0, None, 120.5] == history["games"]["accepted"]
    columns = [column for api in ("games", "analytics") for column in history[api].values()]
    assert {3} == {len(column) for column in (history["at"], *columns)}
