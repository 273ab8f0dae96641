"""What the promise asks of Kafka and MongoDB, and the sentence for each thing that breaks it."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.checkpoints import LAYOUT
from schemas.documents import DEFINITIONS, EVENTS, EXCEPTIONS, REQUESTS, TITLES
from schemas.games.body import EventFailureCause, EventUpdateFailureCause
from schemas.requirements import (
    Index,
    indexes,
    known_seconds,
    max_record_bytes,
    missing_index,
    remembered_seconds,
    topic_config,
    wrong_index,
    wrong_indexes,
    wrong_layout,
    wrong_mongod,
    wrong_refusals,
    wrong_requests,
    wrong_topic_config,
)
from schemas.settings import APIS, KafkaSettings, Limits

KAFKA = KafkaSettings(retention_seconds=1_000)
LIMITS = Limits(dedupe_window_seconds=100, max_body_bytes=2_048)
WANTED = topic_config(KAFKA, LIMITS)


def test_a_topic_as_we_make_it_is_right() -> None:
    """Otherwise init would refuse its own topic."""
    assert [] == wrong_topic_config(WANTED, WANTED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cleanup.policy", "compact"),
        ("cleanup.policy", "compact,delete"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", "1000001"),
        ("retention.ms", "-1"),
        ("retention.ms", "999999"),
        ("retention.ms", "60000"),
        ("retention.bytes", "0"),
        ("retention.bytes", "1073741824"),
        ("max.message.bytes", "2048"),
    ],
)
def test_a_topic_setting_that_breaks_a_promise_is_told_with_the_reason(name: str, value: str) -> None:
    """For ever (-1) is more than any retention; a body needs room for its envelope too."""
    (problem,) = wrong_topic_config({**WANTED, name: value}, WANTED)
    assert problem.startswith(f"{name} is {value}, must be {WANTED[name]}: ")
    assert f"--add-config {name}={WANTED[name]}" in problem, "what to change"


@pytest.mark.parametrize(("name", "value"), [("retention.bytes", "-2"), ("max.message.bytes", "10000000")])
def test_a_topic_may_hold_larger_messages(name: str, value: str) -> None:
    """It can't count a batch twice or lose one. Any negative limit is none."""
    assert [] == wrong_topic_config({**WANTED, name: value}, WANTED)


def test_a_setting_that_is_not_told_is_wrong() -> None:
    """What a broker doesn't say can't be relied on; all at once."""
    assert len(WANTED) == len(wrong_topic_config({}, WANTED))


def test_ids_are_remembered_for_the_window_and_the_retention() -> None:
    """A record may be read that long after it was written, and its repeat that long after it."""
    assert 1_100 == remembered_seconds(KAFKA, LIMITS)
    forever = {DEFINITIONS: None, TITLES: None}
    assert {REQUESTS: 1_100, EXCEPTIONS: 1_100, EVENTS: 90 * 86_400 + 1_000, **forever} == {
        index.collection: index.expire_seconds for index in indexes(KAFKA, LIMITS) if index.key != "keys"
    }


def test_ids_and_items_are_known_as_long_as_their_documents_live() -> None:
    """As old as a record may be to be read again."""
    assert (1_100, 90 * 86_400 + 1_000) == tuple(known_seconds(KAFKA, LIMITS, api) for api in APIS)
    assert APIS == tuple(KAFKA.api_of(KAFKA.topic(api)) for api in APIS)


def test_each_api_has_a_topic_a_group_and_a_size_of_its_own() -> None:
    """So that neither starves the other; one name for both topics is refused."""
    assert ("tallymill", "tallymill.analytics") == tuple(map(KAFKA.group_of, APIS))
    games, analytics = (max_record_bytes(LIMITS, api) for api in APIS)
    assert LIMITS.max_body_bytes < games < LIMITS.max_analytics_body_bytes < analytics
    with pytest.raises(ValidationError, match="must not be the same"):
        KafkaSettings(records_topic="t", analytics_topic="t")


def test_a_ttl_that_forgets_too_soon_is_wrong_and_a_longer_one_is_not() -> None:
    """None at all keeps ids for ever, which is wrong too: it fills the disk."""
    wanted = Index(REQUESTS, "at", 1_100)
    assert (None, None) == tuple(wrong_index({"expireAfterSeconds": n}, wanted) for n in (1_100, 5_000))
    for found in ({"expireAfterSeconds": 1_099}, {}):
        assert "must be at least 1100" in (wrong_index(found, wanted) or "")


def test_an_index_without_a_ttl_has_nothing_to_be_wrong() -> None:
    """Its name has its key."""
    assert wrong_index({}, Index(DEFINITIONS, "app")) is None


def test_what_can_be_set_instead_of_the_topic_is_named() -> None:
    """An operator who can't change the topic changes the settings."""
    (retention,) = wrong_topic_config({**WANTED, "retention.ms": "-1"}, WANTED)
    (size,) = wrong_topic_config({**WANTED, "max.message.bytes": "1"}, WANTED)
    assert "kafka.retention_seconds" in retention
    assert "limits.max_body_bytes" in size


def test_b8_a_record_of_the_largest_body_with_everything_refused_fits() -> None:
    """The largest entry of `judged`, once for each update there may be."""
    limits = Limits(max_body_bytes=2_048, max_updates_per_request=100_000)
    longest = max((*EventFailureCause, *EventUpdateFailureCause), key=len)
    judged = len(f'[99999,99999,"{longest}"],') * limits.max_updates_per_request
    assert max_record_bytes(limits) > limits.max_body_bytes + judged
    assert topic_config(KAFKA, limits)["max.message.bytes"] == str(max_record_bytes(limits))


def test_indexes_as_init_makes_them_are_right_and_a_missing_one_is_init_s_to_make() -> None:
    """Without a TTL it is for speed alone: no reason to refuse, but for the one that each flush looks ids up by."""
    wanted = Index(REQUESTS, "at", 1_100)
    assert [] == wrong_indexes({"_id_": {}, "at_1": {"expireAfterSeconds": 1_100}}, wanted)
    (missing,) = wrong_indexes({"_id_": {}}, wanted)
    assert "tallymill init" in missing
    assert [] == wrong_indexes({}, Index(DEFINITIONS, "app"))
    (by_hash,) = (index for index in indexes(KAFKA, LIMITS) if index.key == "keys")
    assert ["index requests.keys_1 is missing: run `tallymill init`"] == wrong_indexes({"_id_": {}}, by_hash)
    assert [] == wrong_indexes({"keys_1": {}}, by_hash)


def test_ids_of_the_earlier_layout_are_refused_with_what_to_do() -> None:
    """They are not found any more, so that each batch sent again would count twice."""
    assert [] == wrong_requests(None)
    (problem,) = wrong_requests({"_id": "demo/ann/7"})
    for words in (
        "collection requests",
        "mongodb.database",
        "stop all workers",
        "db.requests.drop()",
        "tallymill init",
    ):
        assert words in problem


def test_a_database_of_a_newer_version_is_refused() -> None:
    assert [] == wrong_layout(None)
    (problem,) = wrong_layout({"_id": "r1", "layout": LAYOUT + 1})
    for words in (f"layout {LAYOUT + 1}", f"layout {LAYOUT}", "newer version", "mongodb.database"):
        assert words in problem


def test_every_ttl_that_forgets_too_soon_is_told_whatever_its_name() -> None:
    """One made by hand on another field removes documents just the same."""
    short, fine = {"expireAfterSeconds": 60}, {"expireAfterSeconds": 1_100}
    first, second = wrong_indexes({"at_1": short, "mine": short, "long": fine}, Index(REQUESTS, "at", 1_100))
    assert first.startswith("index requests.at_1: expireAfterSeconds is 60, must be at least 1100")
    assert second.startswith("index requests.mine: expireAfterSeconds is 60, must be at least 1100")
    assert "collMod" in first
    assert "limits.dedupe_window_seconds" in first


@pytest.mark.parametrize(
    "hello",
    [
        {"setName": "rs0", "hosts": ["a:1"]},
        {"setName": "rs0", "hosts": ["a:1", "b:1"], "arbiters": ["c:1"]},
        {"setName": "rs0", "hosts": ["a:1"], "passives": ["b:1"], "arbiters": ["c:1"]},
        {"msg": "isdbgrid"},
        {"isreplicaset": True},
    ],
)
def test_a_replica_set_or_a_sharded_cluster_is_right(hello: dict[str, Any]) -> None:
    """One arbiter beside two members with data does not weaken majority. A set before its initiation is right too."""
    assert [] == wrong_mongod(hello)


def test_a_standalone_mongod_is_refused_with_how_to_make_it_a_replica_set() -> None:
    """It has no transactions, so nothing would ever be applied."""
    (problem,) = wrong_mongod({"isWritablePrimary": True})
    for words in ("mongodb.uri", "standalone", "--replSet", "rs.initiate()"):
        assert words in problem


@pytest.mark.parametrize(
    ("hosts", "arbiters"), [(["a:1"], ["b:1"]), (["a:1"], ["b:1", "c:1"]), (["a:1", "b:1", "c:1"], ["d:1", "e:1"])]
)
def test_arbiters_that_make_majority_weak_are_refused(hosts: list[str], arbiters: list[str]) -> None:
    """More than one, or so few members with data that they are no majority."""
    (problem,) = wrong_mongod({"setName": "rs0", "hosts": hosts, "arbiters": arbiters})
    assert f"arbiters {arbiters} of replica set rs0 make majority weak" in problem
    assert "rs.remove" in problem


def test_refusals_must_be_capped() -> None:
    """Otherwise they would grow for ever. The message says what to do, with the size."""
    assert wrong_refusals({"capped": True, "size": 1}, 4_096) is None
    assert "tallymill init" in (wrong_refusals(None, 4_096) or "")
    assert '{convertToCapped: "refusals", size: 4096}' in (wrong_refusals({}, 4_096) or "")


def test_what_follows_without_an_index_is_said() -> None:
    """Of each kind: one that every flush needs, one that lets documents expire, one that makes lookups fast."""
    found = {one.name: missing_index(one) for one in indexes(KafkaSettings(), Limits())}
    assert "every flush would read the whole collection" in found["keys_1"]
    assert "documents would never expire" in found["receivedAt_1"]
    assert "lookups read the whole collection titles" in found["by_1"]
