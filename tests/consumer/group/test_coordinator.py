"""A group's coordinator, found and found again, with a client that is made of nothing."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    NodeNotReadyError,
    RequestTimedOutError,
)
from aiokafka.protocol.coordination import FindCoordinatorRequest, FindCoordinatorResponse_v0
from aiokafka.protocol.group import HeartbeatRequest, HeartbeatResponse_v0

from consumer.group import coordinator
from consumer.group.coordinator import Coordinator
from consumer.group.wire import Group, heartbeat_request

GROUP = Group("group", "topic", 6_000, 5_000)
ALIVE = heartbeat_request(GROUP, 1, "me")


class Client:
    """Knows one broker, which is the coordinator."""

    def __init__(self, answers: Callable[[], Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.is_closed = False
        self._conns: dict[Any, Any] = {}

    async def made(self) -> "Client":
        return self

    async def bootstrap(self) -> None: ...

    def set_topics(self, topics: list[str]) -> None: ...

    def get_random_node(self) -> int:
        return 1

    async def send(self, node: int, request: Any, group: str) -> Any:  # noqa: ANN401 aiokafka's
        assert (1, "alive") == (node, group)
        self.asked.append(type(request).__name__)
        if isinstance(request, FindCoordinatorRequest):
            return FindCoordinatorResponse_v0(0, 1, "localhost", 9092)
        answer = self.answers()
        return await answer if inspect.isawaitable(answer) else answer

    async def close(self) -> None:
        self.is_closed = True


def well() -> HeartbeatResponse_v0:
    return HeartbeatResponse_v0(0)


def silent() -> None:
    raise NodeNotReadyError


async def test_it_is_looked_up_once_and_again_after_an_error() -> None:
    """One that has moved, or that is silent, isn't asked for ever."""
    client = Client(well)
    asked = Coordinator(client.made, GROUP)
    for _ in range(2):
        await asked.ask(ALIVE)
    client.answers = silent
    with pytest.raises(NodeNotReadyError):
        await asked.ask(ALIVE)
    client.answers = well
    await asked.ask(ALIVE)
    names = [kind.__name__ for kind in (FindCoordinatorRequest, HeartbeatRequest)]
    assert [*names, names[1], names[1], *names] == client.asked


async def test_a_client_whose_brokers_are_all_silent_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the bootstrap servers: what the old one knows may be gone for good."""
    made: list[Client] = []

    async def new_client() -> Client:
        made.append(Client(silent if not made else well))
        return made[-1]

    asked = Coordinator(new_client, GROUP)
    with pytest.raises(NodeNotReadyError):
        await asked.ask(ALIVE)
    monkeypatch.setattr(coordinator, "SILENT_SECONDS", 0)
    await asked.ask(ALIVE)
    assert [True, False] == [client.is_closed for client in made]


async def test_one_that_cannot_be_made_is_made_later() -> None:
    """No address answers: each question tries them again."""
    clients = [Client(well), Client(well)]
    first, second = clients

    async def fail() -> None:
        raise KafkaConnectionError

    first.bootstrap = fail  # type: ignore[method-assign]

    async def next_client() -> Client:
        return clients.pop(0)

    asked = Coordinator(next_client, GROUP)
    with pytest.raises(KafkaConnectionError):
        await asked.ask(ALIVE)
    await asked.ask(ALIVE)
    assert [True, False] == [first.is_closed, second.is_closed]


async def test_an_answer_is_not_waited_for_longer_than_was_said() -> None:
    """And the connection is closed: on a frozen broker's the next request would wait too."""
    client = Client(well)
    asked = Coordinator(client.made, GROUP)
    await asked.ask(ALIVE)
    client.answers = asyncio.Event().wait
    client._conns[1, "alive"] = connection = Mock()
    with pytest.raises(RequestTimedOutError):
        await asked.ask(ALIVE, seconds=0)
    connection.close.assert_called_once()


async def test_errors_of_the_system_are_kafkas_here() -> None:
    """A socket's error has no other meaning than a broker's silence."""

    def broken() -> None:
        raise OSError("broken pipe")

    asked = Coordinator(Client(broken).made, GROUP)
    with pytest.raises(KafkaConnectionError):
        await asked.ask(ALIVE)


async def test_no_coordinator_is_an_error_too() -> None:
    """A broker that answers needn't know one."""
    client = Client(well)
    client.get_random_node = lambda: None  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(GroupCoordinatorNotAvailableError):
        await Coordinator(client.made, GROUP).ask(ALIVE)
