"""How the doctor judges what it finds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.config import Settings
from ops.doctor.command import (
    StoredEvents,
    StoredRequests,
    clock_check,
    cost_check,
    events_check,
    lineage_check,
    refusals_check,
    set_check,
    topic_checks,
    unread_checks,
)
from ops.doctor.unread import clock_difference
from schemas.settings import KafkaSettings
from schemas.topic_risks import TopicShape


@pytest.mark.parametrize(
    ("hello", "state", "words"),
    [
        ({"isWritablePrimary": True}, "wrong", "standalone"),
        ({"setName": "rs0", "hosts": ["a:1", "b:1", "c:1"]}, "ok", "rs0, 3 member(s)"),
        ({"msg": "isdbgrid"}, "ok", "sharded cluster, 1 member(s)"),
        ({"setName": "rs0", "hosts": ["a:1", "b:1"], "arbiters": ["c:1"]}, "warning", "the set has arbiters (c:1)"),
    ],
)
def test_mongodb_must_have_transactions_and_an_honest_majority(hello: dict[str, Any], state: str, words: str) -> None:
    """A replica set or a sharded cluster has the first; an arbiter takes from the second."""
    check = set_check(hello)
    assert state == check.state
    assert words in check.detail


def test_a_good_topic_is_told_with_how_many_workers_can_share_it() -> None:
    """More workers than partitions would idle."""
    (check,) = topic_checks("records", TopicShape(6, 3, 3), [], [], KafkaSettings())
    assert ("topic records", "ok", "6 partitions, for at most 6 workers") == (
        check.what,
        check.state,
        check.detail,
    )


@pytest.mark.parametrize(("partitions", "more"), [(6, []), (5, ["wrong"]), (7, ["warning"])])
def test_each_problem_of_a_topic_is_wrong_and_each_risk_a_warning(partitions: int, more: list[str]) -> None:
    """Fewer partitions than the setting are wrong; more are an operator's decision."""
    shape = TopicShape(partitions, 1, 1)
    checks = topic_checks("records", shape, ["this", "that"], ["one replica"], KafkaSettings(partitions=6))
    assert sorted(["wrong", "wrong", "warning", *more]) == sorted(check.state for check in checks)
    assert {"topic records"} == {check.what for check in checks}


def test_a_topic_without_a_lineage_is_wrong() -> None:
    """Workers would refuse to start. The message has the command to run."""
    missing = lineage_check("records", None)
    assert "wrong" == missing.state
    assert "tallymill init" in missing.detail
    assert "ok" == lineage_check("records", {"_id": "r1", "generation": 1}).state


@pytest.mark.parametrize(
    ("options", "state", "words"),
    [
        (None, "warning", "tallymill init"),
        ({}, "warning", "not capped"),
        ({"capped": True, "size": 8_192}, "warning", "cappedSize: 4097"),
        ({"capped": True, "size": 4_352}, "ok", "4352 bytes"),
    ],
)
def test_the_sample_of_refusals_is_looked_at(options: dict[str, Any] | None, state: str, words: str) -> None:
    """No promise rests on it, so nothing about it is wrong; MongoDB rounds its size up."""
    check = refusals_check(options, 4_097)
    assert state == check.state
    assert words in check.detail


def test_the_cost_of_the_promise_is_told() -> None:
    """7 days of window and 7 of retention; of few ids the bytes are the usual ones."""
    settings = Settings.model_validate({})
    detail = cost_check(settings, StoredRequests(ids=12, disk_bytes=40_960)).detail
    for words in ("window 604800 s", "about 12 ids stored", "14 days", "of 70 bytes: 935 MiB"):
        assert words in detail
    detail = cost_check(settings, StoredRequests(ids=1_000_000, disk_bytes=100_000_000)).detail
    assert "about 1000000 ids stored, each for 14 days, of 100 bytes: 1,335 MiB" in detail


def test_the_cost_of_stored_items_is_told() -> None:
    """Documents a day x bytes x days; of few documents the bytes are the usual ones."""
    settings = Settings.model_validate({})
    detail = events_check(settings, StoredEvents(1_000_000, 300_000_000, oldest_seconds=2 * 86_400)).detail
    for words in (
        "1000000 items stored, each for 97 days",
        "500,000 a day x 300 bytes: 13,876 MiB",
        "27,752 MiB for every",
    ):
        assert words in detail
    few = events_check(settings, StoredEvents(3, 70_000, oldest_seconds=60)).detail
    assert "About 3 a day x 170 bytes: 0 MiB" in few


def test_partitions_that_nobody_reads_are_warnings() -> None:
    """Its records will be counted when a worker reads them: nothing is lost yet."""
    assert ["ok"] == [check.state for check in unread_checks("records", [])]
    (check,) = unread_checks("records", ["no worker reads partition 7: 120 records wait"])
    assert ("workers of records", "warning") == (check.what, check.state)


@pytest.mark.parametrize(
    ("ahead", "words"), [(600, "600 s ahead of"), (-600, "600 s behind"), (1, None), (-1, None), (0, None)]
)
def test_a_clock_that_differs_from_mongodbs_is_a_warning(ahead: int, words: str | None) -> None:
    """Only the certain difference counts: MongoDB answered at some time in between."""
    local = datetime(2026, 11, 28, 12, tzinfo=UTC)
    before = local + timedelta(seconds=ahead)
    told = clock_difference({"localTime": local.replace(tzinfo=None)}, before, before)
    assert (words is None) == (told is None)
    assert (words or "") in (told or "")
    check = clock_check(told)
    assert ("ok" if told is None else "warning") == check.state
    slow = clock_difference({"localTime": local}, local - timedelta(seconds=30), local + timedelta(seconds=30))
    assert slow is None, "a slow answer is no difference"
