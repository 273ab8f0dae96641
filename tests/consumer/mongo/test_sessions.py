"""Whose transaction a release ends: never one that a flush still writes in. No server is needed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession

from consumer.core.flush import FlushSize
from consumer.core.reads import Reads
from consumer.mongo import store as module
from consumer.mongo.store import LARGE_FLUSH_BYTES, MongoStore
from schemas.coordinates import PartitionId
from tests.consumer.parts import eventually

OURS = PartitionId("r1", 0)


def reads(stored_bytes: int = 0) -> Reads:
    return Reads(OURS, FlushSize(records=1, weight=1, stored_bytes=stored_bytes))


class Flushes:
    """Each stays in its transaction until it is told to end."""

    def __init__(self) -> None:
        self.sessions: list[AsyncClientSession] = []
        self._go_on: list[asyncio.Event] = []

    async def in_transaction(self, session: AsyncClientSession, _body: Callable[..., Awaitable[Any]], _: int) -> None:
        await session.start_transaction()
        self.sessions.append(session)
        self._go_on.append(go_on := asyncio.Event())
        await go_on.wait()
        await session.abort_transaction()

    async def begun(self, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
        """The same task, once it is in its transaction."""
        before = len(self.sessions)
        await eventually(lambda: len(self.sessions) > before or task.done())
        return task

    def end(self, number: int) -> None:
        self._go_on[number].set()


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> Flushes:
    made = Flushes()
    monkeypatch.setattr(module, "in_transaction", made.in_transaction)
    return made


def new_store(client: AsyncMongoClient[dict[str, Any]]) -> MongoStore:
    return MongoStore(client, "test", lambda step, seconds: None)  # noqa: ARG005 the names are OnStep's


def applying(store: MongoStore, of: Reads) -> asyncio.Task[Any]:
    return asyncio.create_task(store.apply(of, lambda known: None))  # type: ignore[arg-type,return-value]  # noqa: ARG005 never planned


async def test_a_release_leaves_the_transaction_of_a_running_flush_alone(flushes: Flushes) -> None:
    """Outside of its transaction the rest of the flush would be written without the checkpoint: counted twice."""
    async with AsyncMongoClient[dict[str, Any]]("mongodb://127.0.0.1:1") as client:
        store = new_store(client)
        flush = await flushes.begun(applying(store, reads()))
        await store.release(OURS)
        assert flushes.sessions[0].in_transaction
        flushes.end(0)
        await flush


async def test_the_end_of_an_earlier_owners_flush_does_not_expose_the_next_ones(flushes: Flushes) -> None:
    """The partition is lost, comes back, and is lost again, while two flushes of it wait for a slow server."""
    async with AsyncMongoClient[dict[str, Any]]("mongodb://127.0.0.1:1") as client:
        store = new_store(client)
        first = await flushes.begun(applying(store, reads()))
        await store.release(OURS)
        second = await flushes.begun(applying(store, reads()))
        flushes.end(0)
        await first
        await store.release(OURS)
        assert flushes.sessions[1].in_transaction
        flushes.end(1)
        await second


async def test_a_flush_that_waits_for_its_turn_never_gets_the_next_owners_session(flushes: Flushes) -> None:
    """Large flushes are applied one at a time."""
    large = reads(LARGE_FLUSH_BYTES + 1)
    async with AsyncMongoClient[dict[str, Any]]("mongodb://127.0.0.1:1") as client:
        store = new_store(client)
        other = Reads(PartitionId("r1", 1), large.size)
        before = await flushes.begun(applying(store, other))
        waiting = applying(store, large)
        await asyncio.sleep(0.01)
        assert 1 == len(flushes.sessions)
        await store.release(OURS)
        small = await flushes.begun(applying(store, reads()))
        flushes.end(0)
        await before
        await eventually(lambda: len(flushes.sessions) > 2 or waiting.done())
        assert flushes.sessions[1] is not flushes.sessions[2]
        for number in (1, 2):
            flushes.end(number)
        await asyncio.gather(waiting, small)
