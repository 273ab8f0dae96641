"""How long a transaction waits for its own end."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo import AsyncMongoClient, _csot
from pymongo.errors import AutoReconnect

from consumer.core.flush import FlushSize
from consumer.core.reads import Reads
from consumer.mongo.store import LONG_TRY_SECONDS, MongoStore
from consumer.mongo.transactions import ABORT_SECONDS, COMMIT_MILLIS, DURABLE, SNAPSHOT, in_transaction
from schemas.coordinates import PartitionId


class Session:
    """Runs the body once, as with_transaction does; notes how long an abort may take."""

    def __init__(self) -> None:
        self.in_transaction = True
        self.abort_seconds: list[float | None] = []
        self.options: dict[str, Any] = {}

    async def with_transaction(self, body: Callable[["Session"], Awaitable[str]], **options: Any) -> str:  # noqa: ANN401 options are any
        self.options = options
        try:
            return await body(self)
        finally:
            assert not self.in_transaction or not self.abort_seconds

    async def abort_transaction(self) -> None:
        self.abort_seconds.append(_csot.get_timeout())
        self.in_transaction = False


async def test_an_abort_is_not_waited_for() -> None:
    """A primary that has just taken over from a frozen one would answer it only when a majority follows."""
    session: Any = Session()

    async def body(_session: object) -> str:
        raise AutoReconnect("connection closed")

    with pytest.raises(AutoReconnect):
        await in_transaction(session, body)
    assert [ABORT_SECONDS] == session.abort_seconds


async def test_a_commit_is_waited_for_within_bounds() -> None:
    session: Any = Session()

    async def body(_session: object) -> str:
        return "done"

    assert "done" == await in_transaction(session, body, COMMIT_MILLIS)
    assert [] == session.abort_seconds
    assert COMMIT_MILLIS == session.options["max_commit_time_ms"]
    assert (SNAPSHOT, DURABLE) == (session.options["read_concern"], session.options["write_concern"])
    await in_transaction(session, body)
    assert session.options["max_commit_time_ms"] is None


class CommitsAlone(Session):
    """Has nothing to write."""

    async def with_transaction(self, body: object, **options: Any) -> str:  # noqa: ANN401 options are any
        assert body
        self.options = options
        return "done"


async def test_the_commit_of_a_flush_is_waited_for_within_bounds() -> None:
    """The checkpoint shows whether it succeeded, so the wait can be bounded."""
    session = CommitsAlone()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient("mongodb://127.0.0.1:1")
    store = MongoStore(client, "test", lambda _step, _seconds: None)
    store._sessions = SimpleNamespace(used=lambda _partition: nullcontext(session))  # type: ignore[assignment]  # stands in for it
    reads = Reads(PartitionId("r1", 0), FlushSize(records=1, weight=1, stored_bytes=0))
    await store.apply(reads, lambda _known: pytest.fail("there is nothing to plan"))
    await client.close()
    assert COMMIT_MILLIS == session.options["max_commit_time_ms"]


def test_an_abort_and_a_commit_are_over_before_a_try_has_taken_long() -> None:
    """Or a flush would be halved that had only waited for its end."""
    assert ABORT_SECONDS + COMMIT_MILLIS / 1000 < LONG_TRY_SECONDS
