"""Several brokers, of which one is frozen: only its own partitions are unknown."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    NotCoordinatorForGroupError,
    RequestTimedOutError,
)

from console.observer import brokers
from console.observer.brokers import Brokers
from schemas.settings import KafkaSettings


class Cluster:
    """A client of three brokers. `frozen` ones take a request and never answer; broker 4 is known only to the others.

    The coordinator of any group is broker 1.
    """

    def __init__(self, *frozen: int) -> None:
        self.frozen = frozen
        self.known = {1, 2, 3}
        self.sent: list[tuple[int, Any]] = []
        self.cluster = self

    def brokers(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(nodeId=node) for node in self.known]

    def broker_metadata(self, node: int) -> object | None:
        return node if node in self.known else None

    async def force_metadata_update(self) -> None:
        self.known.add(4)

    async def send(self, node: int, request: Any) -> Any:  # noqa: ANN401 aiokafka's
        self.sent.append((node, request))
        if node not in self.known:
            raise NodeNotReadyError
        if node in self.frozen:
            await asyncio.Event().wait()
        if request == "not mine":
            raise NotCoordinatorForGroupError
        return SimpleNamespace(node=node, request=request, error_code=0, coordinator_id=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "ANSWER_SECONDS", 0.05)


def connected(cluster: Cluster) -> Brokers:
    made = Brokers(KafkaSettings(), ["t"])
    made._client = cluster
    return made


@pytest.mark.parametrize("frozen", [(1,), (2, 3)])
async def test_any_broker_that_answers_is_enough(frozen: tuple[int, ...]) -> None:
    answer = await connected(Cluster(*frozen)).ask_any("metadata")
    assert answer.node not in frozen


async def test_no_answer_at_all_is_an_error() -> None:
    with pytest.raises(RequestTimedOutError):
        await connected(Cluster(1, 2, 3)).ask_any("metadata")
    with pytest.raises(KafkaConnectionError):
        await Brokers(KafkaSettings(), ["t"]).ask_any("metadata")


async def test_each_leader_is_asked_once_and_a_frozen_one_is_left_out() -> None:
    """Partitions without a leader are not asked for. A leader that has just joined is found."""
    cluster = Cluster(2)
    leaders = {("t", 0): 1, ("t", 1): 1, ("t", 2): 2, ("t", 3): None, ("t", 4): 4}
    answers = await connected(cluster).ask_leaders(leaders, leaders, tuple)
    assert {1: (("t", 0), ("t", 1)), 4: (("t", 4),)} == {one.node: one.request for one in answers}
    assert 3 == len(cluster.sent)


async def test_a_bug_is_no_silence() -> None:
    """Otherwise a mistake in this code would be shown as an outage of Kafka."""
    cluster = Cluster()
    cluster.frozen = None  # type: ignore[assignment]  # `in None` raises TypeError
    with pytest.raises(TypeError):
        await connected(cluster).ask_leaders({("t", 0): 1}, [("t", 0)], tuple)


async def test_the_coordinator_is_searched_once_and_again_after_a_failure() -> None:
    cluster = Cluster()
    made = connected(cluster)
    for _ in range(2):
        assert 1 == (await made.ask_coordinator("g", "describe")).node
    assert ["describe", "describe"] == [request for _, request in cluster.sent if isinstance(request, str)]
    searches = len(cluster.sent) - 2
    with pytest.raises(KafkaError):
        await made.ask_coordinator("g", "not mine")
    await made.ask_coordinator("g", "describe")
    assert len(cluster.sent) > searches + 4
