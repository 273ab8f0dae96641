"""Rates and lag, and partitions that no worker counts, in `tallymill status`."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from console.observer.snapshot import PartitionNow, TopicNow
from ops.config import Settings
from ops.local.status import traffic
from ops.local.status.group_reader import GroupReader
from ops.local.status.traffic import Traffic, measure, unowned_of, worst_of
from schemas.settings import APIS, KafkaSettings

OWNED = PartitionNow(0, "w", 0, 0.0, 5, 5, owned=True)


def topic(*partitions: PartitionNow, **numbers: Any) -> TopicNow:  # noqa: ANN401 any of its fields
    return TopicNow("games", "t", lag_records=0, partitions=partitions, **numbers)


def without(number: int, lag: int = 0) -> PartitionNow:
    return PartitionNow(number, None, lag, 0.0, 5, 5 + lag, owned=False)


def test_a_partition_that_has_no_worker_in_two_looks_is_a_problem() -> None:
    """In one of them it may be on its way from one worker to another. Of a stopped one the reason is enough."""
    stopped = replace(without(3), stopped="the log was cut")
    before, now = topic(without(0), without(1), stopped), topic(without(0, 7), replace(OWNED, partition=1), stopped)
    assert {"games": [0]} == unowned_of([before], [now], ["games"])
    assert {"games": []} == unowned_of([topic(OWNED)], [topic(without(0))], ["games"])
    unknown = topic(replace(OWNED, owned=None))
    assert {"games": []} == unowned_of([unknown], [unknown], ["games"])
    assert ["games: no worker has partition 0"] == Traffic((now,), {"games": [0]}).problems[1:]
    assert ["games: no worker has partitions 0, 2"] == Traffic((), {"games": [0, 2]}).problems


def test_an_api_that_no_worker_is_to_read_needs_none_until_records_wait() -> None:
    """As with worker.apis."""
    idle, waiting = topic(without(0)), topic(without(0, 3))
    assert {"games": []} == unowned_of([idle], [idle], ["analytics"])
    assert {"games": [0]} == unowned_of([waiting], [waiting], ["analytics"])


def test_a_stopped_partition_is_a_problem_with_its_reason() -> None:
    found = Traffic((topic(OWNED, replace(OWNED, partition=4, stopped="the log was cut")),))
    assert ["games, partition 4: stopped: the log was cut"] == found.problems


def test_what_is_not_known_is_a_problem() -> None:
    """Like a balance that is not known."""
    assert ["lag, stopped partitions and partitions without a worker unknown: why"] == Traffic(why="why").problems
    assert [] == Traffic((topic(OWNED),)).problems


def test_the_worst_partition_is_stopped_or_has_the_oldest_record() -> None:
    few_old = PartitionNow(1, "w", 3, 60.0, 5, 8)
    many_new = PartitionNow(2, "w", 500, 1.0, 5, 505)
    unknown = PartitionNow(3, "w", 9, None, 5, 14)
    stopped = PartitionNow(4, None, 0, 0.0, 5, 5, stopped="cut")
    assert few_old == worst_of(topic(OWNED, many_new, few_old, unknown))
    assert stopped == worst_of(topic(few_old, stopped))
    assert unknown == worst_of(topic(OWNED, unknown))
    assert worst_of(topic(OWNED)) is None
    (shown,) = Traffic((topic(OWNED, few_old),)).as_json()["topics"]
    assert (1, "games", "t") == (shown["worst"]["partition"], shown["api"], shown["topic"])
    assert Traffic((topic(OWNED),)).as_json()["topics"][0]["worst"] is None


class Brokers:
    """Answers of a coordinator, one after the other."""

    def __init__(self, *groups: tuple[str, bytes]) -> None:
        self.groups = list(groups)

    async def ask_coordinator(self, group: str, _request: object) -> Any:  # noqa: ANN401 aiokafka's
        state, assignment = self.groups.pop(0)
        return SimpleNamespace(groups=[(0, group, state, "consumer", "range", [("m", "c", "h", b"", assignment)])])


async def test_while_a_group_rebalances_nobody_s_partitions_are_unknown() -> None:
    """Each worker reads on what it had, so this is no partition without a worker."""
    assigned = ConsumerProtocolMemberAssignment(0, [("t", [0, 1])], b"").encode()
    kafka = KafkaSettings(records_topic="t")
    reader = GroupReader(kafka, APIS)
    reader._brokers = Brokers(  # type: ignore[assignment]
        ("Stable", assigned), ("PreparingRebalance", b""), ("CompletingRebalance", b""), ("Empty", b"")
    )
    expected = [frozenset((0, 1)), None, None, frozenset()]
    assert expected == [await reader._owned("t") for _ in range(4)]


def test_without_a_usable_address_the_reason_is_given() -> None:
    found: list[Traffic] = []
    measure(Settings.model_validate({"mongodb": {"uri": "mongodb://a:1/?w=0"}}), found)
    assert len(found) == 1
    assert "w" in found[0].why


def test_what_is_known_before_time_runs_out_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lag, without rates."""
    first = Traffic((topic(OWNED),))

    async def slow(_settings: Settings, found: list[Traffic]) -> None:
        found.append(first)
        raise TimeoutError

    monkeypatch.setattr(traffic, "_measure", slow)
    found: list[Traffic] = []
    measure(Settings(), found)
    assert [first] == found

    async def silent(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(traffic, "_measure", silent)
    found.clear()
    measure(Settings(), found)
    assert [Traffic(why="no answer within 3 s")] == found
