"""How long a transaction waits for its own end."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pymongo import _csot
from pymongo.errors import AutoReconnect

from consumer.mongo.transactions import ABORT_SECONDS, COMMIT_MILLIS, in_transaction


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
    await in_transaction(session, body)
    assert session.options["max_commit_time_ms"] is None
