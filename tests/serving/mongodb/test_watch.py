"""What a client knows and what its calls meet with, as two lines of the log."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure
from pymongo.hello import Hello
from pymongo.server_description import ServerDescription
from pymongo.topology_description import TOPOLOGY_TYPE, TopologyDescription
from structlog.testing import capture_logs

from serving.mongodb.watch import MongoWatch, no_primary
from serving.outage import Outage

REFUSED = AutoReconnect("h1:1: [Errno 111] Connection refused (configured timeouts: connectTimeoutMS: 5000.0ms)")


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as found:
        yield found


@pytest.fixture
def watch() -> MongoWatch:
    return MongoWatch(Outage("mongodb", later=at_once), "test")


def at_once(_: float, callback: Callable[[], None]) -> Callable[[], None]:
    """A return is told without waiting whether it lasts."""
    callback()
    return lambda: None


def lines(logs: list[Any]) -> list[str]:
    return [line["event"] for line in logs]


def fails(watch: MongoWatch, error: Exception) -> None:
    with pytest.raises(type(error)), watch.call():
        raise error


def works(watch: MongoWatch) -> None:
    with watch.call():
        pass


def test_an_outage_is_two_lines_however_many_calls_fail(watch: MongoWatch, logs: list[Any]) -> None:
    works(watch)
    for _ in range(3):
        fails(watch, REFUSED)
    works(watch)
    works(watch)
    assert ["mongodb_lost", "mongodb_back"] == lines(logs)
    assert "h1:1: connection refused" == logs[0]["reason"]
    assert "seconds" in logs[1]


def test_what_a_call_alone_is_refused_is_no_outage(watch: MongoWatch, logs: list[Any]) -> None:
    for code in (2, 13, 50, 112, 251, 11000, 11601):
        fails(watch, OperationFailure("", code))
        fails(watch, OperationFailure("", code))
    fails(watch, ValueError("boom"))
    assert ["mongodb_not_allowed"] == lines(logs), "a missing right is named once"


@pytest.mark.parametrize("error", [REFUSED, OperationFailure("", 18), OperationFailure("", 14031), NetworkTimeout("")])
def test_an_error_that_was_translated_is_known_by_its_cause(
    watch: MongoWatch, logs: list[Any], error: Exception
) -> None:
    ours = ValueError("translated")
    ours.__cause__ = error
    fails(watch, ours)
    assert ["mongodb_lost"] == lines(logs)


async def test_calls_that_overlap_the_end_of_an_outage_write_no_further_lines(
    watch: MongoWatch, logs: list[Any]
) -> None:
    """One that began before the last failure says nothing of what came after; one from before the return is late."""
    failing, late, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def ends(how: asyncio.Event, error: Exception | None) -> None:
        with watch.call():
            await how.wait()
            if error:
                raise error

    early = [asyncio.create_task(ends(answered, None)), asyncio.create_task(ends(failing, REFUSED))]
    slow = asyncio.create_task(ends(late, REFUSED))
    await asyncio.sleep(0)
    failing.set()
    await asyncio.wait(early[1:])
    answered.set()
    await early[0]
    assert ["mongodb_lost"] == lines(logs)
    works(watch)
    late.set()
    await asyncio.wait([slow, early[1]])
    assert all(isinstance(one.exception(), AutoReconnect) for one in (slow, early[1]))
    assert ["mongodb_lost", "mongodb_back"] == lines(logs)


def server(name: str, kind: str) -> ServerDescription:
    """`kind`: unknown, failed or secondary."""
    address = (name, 1)
    if kind != "secondary":
        return ServerDescription(address, error=REFUSED if kind == "failed" else None)
    return ServerDescription(
        address, Hello({"ok": 1, "setName": "rs", "hosts": ["h1:1"], "maxWireVersion": 17, "secondary": True})
    )


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (("unknown",), None),
        (("failed", "unknown"), None),
        (("secondary", "unknown"), None),
        (("failed",), "h1:1: connection refused"),
        (("failed", "secondary"), "h1:1: connection refused; no primary among the other members"),
        (("secondary", "secondary"), "the replica set has no primary"),
    ],
)
def test_why_there_is_no_primary(kinds: tuple[str, ...], reason: str | None) -> None:
    """A process that begins, or ends, knows nothing of its servers: that is no outage."""
    servers: dict[Any, ServerDescription] = {(f"h{n}", 1): server(f"h{n}", kind) for n, kind in enumerate(kinds, 1)}
    found = TopologyDescription(TOPOLOGY_TYPE.ReplicaSetNoPrimary, servers, "rs", None, None, None)
    assert reason == no_primary(found)
