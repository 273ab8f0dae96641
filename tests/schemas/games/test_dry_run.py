"""The answer of a dry run."""

import json

from schemas.games.body import parse_request
from schemas.games.dry_run import DryRunAnswer, dry_run_answer
from schemas.games.judging import judge
from schemas.settings import Limits
from tests.samples import HOUR, NOW, batch, period, update


def test_the_sums_by_event_and_the_failures_are_those_of_the_judgement() -> None:
    """Counts are int64, so strings; one sum an event, by first appearance."""
    request = parse_request(
        batch(
            period(update("B", "2"), update("A"), update("B", "3"), update("NOPE")),
            period(start=NOW - HOUR, end=NOW - HOUR),
            currentTimeMillis=str(NOW + HOUR),
        )
    )
    judgement = judge(request, NOW, Limits(), {"A", "B"})
    answer = json.loads(dry_run_answer(request, judgement).model_dump_json())
    assert [{"definitionId": "B", "updateCount": "5"}, {"definitionId": "A", "updateCount": "1"}] == answer["accepted"]
    assert ["TIME_PERIOD_SHORT"] == [one["failureCause"] for one in answer["batchFailures"]]
    assert ["NOPE"] == [one["eventId"] for one in answer["eventFailures"]]
    assert (True, [], str(-HOUR)) == (answer["valid"], answer["violations"], answer["shiftMillis"])


def test_all_arrays_are_always_there() -> None:
    """As in events.record (G16)."""
    answer = json.loads(DryRunAnswer(valid=False).model_dump_json())
    assert {
        "valid": False,
        "violations": [],
        "batchFailures": [],
        "eventFailures": [],
        "accepted": [],
        "shiftMillis": "0",
    } == answer
