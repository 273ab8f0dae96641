"""How the doctor judges what it finds."""

from typing import Any

import pytest

from consumer.mongo.store import LONG_TRY_SECONDS
from ops.config import Settings
from ops.doctor.check import Check
from ops.doctor.command import (
    lifetime_check,
    lineage_check,
    refusals_check,
    set_check,
    summary,
    topic_checks,
    unread_checks,
)
from ops.doctor.costs import StoredEvents, StoredRequests, cost_check, events_check
from schemas.mongod_risks import LIFETIME_SECONDS, SHORTEST_SECONDS
from schemas.requirements import topic_config
from schemas.settings import KafkaSettings
from schemas.topic_risks import TopicShape, topic_risks


@pytest.mark.parametrize(
    ("hello", "state", "words"),
    [
        ({"isWritablePrimary": True}, "wrong", "standalone"),
        ({"setName": "rs0", "hosts": ["a:1", "b:1", "c:1"]}, "ok", "replica set rs0, 3 members"),
        ({"setName": "rs0", "hosts": ["a:1"]}, "ok", "replica set rs0, 1 member"),
        ({"msg": "isdbgrid"}, "ok", "sharded cluster"),
        ({"setName": "rs0", "hosts": ["a:1", "b:1"], "arbiters": ["c:1"]}, "warning", "the set has arbiters (c:1)"),
    ],
)
def test_mongodb_must_have_transactions_and_an_honest_majority(hello: dict[str, Any], state: str, words: str) -> None:
    """A replica set or a sharded cluster has the first; an arbiter takes from the second."""
    check = set_check(hello)
    assert state == check.state
    assert words in check.detail


KAFKA = KafkaSettings(partitions=6)
WANTED = topic_config(KAFKA, Settings().limits)
GOOD = WANTED | {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}


def test_a_good_topic_is_told_with_what_was_looked_at() -> None:
    """More workers than partitions would idle."""
    (check,) = topic_checks("records", TopicShape(6, 3, 3), GOOD, WANTED, KAFKA)
    assert ("topic records", "ok") == (check.what, check.state)
    words = "6 partitions, for at most 6 workers; records kept for 7 days; min.insync.replicas 2 of 3 replicas; "
    assert f"{words}unclean.leader.election.enable false" == check.detail


@pytest.mark.parametrize(("partitions", "more"), [(6, []), (5, ["wrong"]), (7, ["warning"])])
def test_each_problem_of_a_topic_is_wrong_and_each_risk_a_warning(partitions: int, more: list[str]) -> None:
    """Fewer partitions than the setting are wrong; more are an operator's decision."""
    broken = GOOD | {"retention.ms": "1", "cleanup.policy": "compact"}
    checks = topic_checks("records", TopicShape(partitions, 1, 1), broken, WANTED, KAFKA)
    risks = topic_risks(GOOD, TopicShape(partitions, 1, 1), KAFKA)
    assert sorted(["wrong", "wrong", *["warning"] * len(risks), *more]) == sorted(check.state for check in checks)
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
    ("seconds", "state", "words"),
    [
        (15, "ok", "is 15"),
        (60, "warning", "they wait for up to 90 s"),
        (5, "wrong", "tried again for ever"),
        (None, "warning", "is unknown (why)"),
    ],
)
def test_how_long_a_transaction_may_live_is_looked_at(seconds: float | None, state: str, words: str) -> None:
    """Too long: a killed worker's partitions wait. Too short: a large flush never ends."""
    check = lifetime_check(seconds, "why")
    assert ("transactions", state) == (check.what, check.state)
    assert words in check.detail
    assert ("db.adminCommand({setParameter: 1, transactionLifetimeLimitSeconds: 15})" in check.detail) == (
        state != "ok"
    )


def test_a_flush_is_halved_before_mongodb_may_abort_it() -> None:
    """The rule knows the worker's own bound."""
    assert LONG_TRY_SECONDS < SHORTEST_SECONDS <= LIFETIME_SECONDS


def test_a_result_is_one_sentence() -> None:
    """With the worst that was found."""
    checks = [Check("a", "ok", "x"), Check("b", "warning", "y"), Check("c", "wrong", "z")]
    assert "3 checks, 1 wrong, 1 warnings. c: z" == summary(checks)
    assert "2 checks, 0 wrong, 1 warnings. b: y" == summary(checks[:2])
    assert "1 checks, 0 wrong, 0 warnings" == summary(checks[:1])
