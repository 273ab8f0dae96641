"""`GET /v1/system` and the metrics that are written from the same snapshot."""

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from console.observer.snapshot import Check, PartitionNow, Snapshot, TopicNow
from schemas.wire.system_reply import SystemReply
from tests.console.rig import Rig, read_token
from tests.console.snapshots import NOW, example_snapshot

SYSTEM = "/v1/system"


async def test_the_answer_is_the_snapshot_and_is_in_the_document() -> None:
    rig = Rig()
    answer = await rig.get(SYSTEM)
    assert (200, example_snapshot().as_json()) == (answer.status, answer.json)
    assert "degraded" == SystemReply.model_validate(answer.json).state
    unknown = Snapshot(NOW, "unknown", NOW, ("x",), (TopicNow("games", "t"),))
    SystemReply.model_validate(unknown.as_json())


async def test_o1_a_client_that_has_the_snapshot_is_answered_304() -> None:
    """Until the next step. A cache must ask each time."""
    rig = Rig()
    first = await rig.get(SYSTEM)
    etag = first.headers["etag"]
    assert "no-cache" == first.headers["cache-control"]
    same = await rig.get(SYSTEM, headers={"if-none-match": etag})
    assert (304, b"", etag, "no-cache") == (same.status, same.body, same.headers["etag"], same.headers["cache-control"])
    assert "content-length" not in same.headers
    rig.observer.snapshot = replace(example_snapshot(), as_of_millis=NOW + 2_000)
    later = await rig.get(SYSTEM, headers={"if-none-match": etag})
    assert 200 == later.status
    assert etag != later.headers["etag"]


@pytest.mark.parametrize(
    ("bearer", "query", "status"),
    [("", {}, 401), (read_token(scope="other"), {}, 403), (read_token(), {"x": "1"}, 400)],
)
async def test_o1_it_needs_a_token_that_may_read_and_has_no_parameters(
    bearer: str, query: dict[str, str], status: int
) -> None:
    """Also of a client that has the snapshot."""
    etag = (await Rig().get(SYSTEM)).headers["etag"]
    answer = await Rig().get(SYSTEM, query, bearer=bearer, headers={"if-none-match": etag})
    assert (status, "no-store") == (answer.status, answer.headers["cache-control"])


async def samples(rig: Rig) -> dict[tuple[str, str], float]:
    """By name and labels."""
    text = (await rig.call("GET", "/metrics")).body.decode()
    return {
        (sample.name.removeprefix("tallymill_"), "/".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_the_metrics_are_those_of_the_snapshot() -> None:
    rig = Rig()
    found = await samples(rig)
    expected = {
        ("partition_lag_records", "games/1"): 40,
        ("partition_lag_seconds", "games/1"): 42,
        ("partition_owned", "games/1"): 1,
        ("partition_stopped", "games/0"): 0,
        ("partition_stopped", "games/1"): 1,
        ("partition_last_flush_timestamp_seconds", "games/1"): (NOW - 42_000) / 1000,
        ("retention_headroom_seconds", "games/1"): 604_758,
        ("balance_difference", "games"): 0,
        ("dead_letters_open", "games"): 1,
        ("verify_last_success_timestamp_seconds", ""): (NOW - 3_600_000) / 1000,
        ("observed_timestamp_seconds", ""): NOW / 1000,
    }
    assert expected == {key: found[key] for key in expected}
    fates = {name: value for (metric, name), value in found.items() if metric == "batches" and name.startswith("games")}
    accepted = fates.pop("games/accepted")
    assert ({"games/in_flight": 45}, 1_000) == ({k: v for k, v in fates.items() if "flight" in k}, accepted)
    assert accepted == sum(fates.values())


async def test_o2_what_is_not_known_has_no_sample() -> None:
    """A 0 would say that all is well. Nor does a `verify` that failed say when all was right."""
    rig = Rig()
    games = TopicNow("games", "t", partitions=(PartitionNow(0),))
    failed = Check(NOW, ok=False, detail="")
    rig.observer.snapshot = Snapshot(NOW, "down", NOW, ("x",), (games, TopicNow("analytics", "u")), last_verify=failed)
    names = ("partition_", "batches", "balance_", "dead_letters_", "retention_", "verify_", "observed_")
    assert {("observed_timestamp_seconds", "")} == {key for key in await samples(rig) if key[0].startswith(names)}
