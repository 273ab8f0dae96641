"""The one place that opens MongoDB transactions (a test looks for others).

`await session.start_transaction()` forgotten writes outside any transaction without a word; with_transaction can't
be misused so, and it tries again after a lost race.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from pymongo import ReadPreference, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.read_concern import ReadConcern

T = TypeVar("T")
Document = dict[str, Any]

# Said out loud: the server's implicit default weakens where a set has arbiters.
DURABLE = WriteConcern(w="majority", j=True)
SNAPSHOT = ReadConcern("snapshot")


async def in_transaction(session: AsyncClientSession, body: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
    """Run `body` in one transaction and commit it: snapshot reads, majority and journaled writes.

    `body` may run several times. What it raises ends the transaction and comes out here.
    """
    return await session.with_transaction(
        body, read_concern=SNAPSHOT, write_concern=DURABLE, read_preference=ReadPreference.PRIMARY
    )


async def uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Await work of the client; where the caller is cancelled, the work goes on to its own end, unheard.

    Cancelled in server selection, just as its wait there runs out, the client (pymongo 4.20) keeps its topology locked
    for ever, and every later call of the process waits for that: seen in a worker that woke up during a failover.
    """
    task = asyncio.create_task(work)
    _unheard.add(task)
    task.add_done_callback(_ended)
    return await asyncio.shield(task)


# The event loop itself holds tasks weakly.
_unheard: set[asyncio.Task[Any]] = set()


def _ended(task: asyncio.Task[Any]) -> None:
    _unheard.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, or asyncio would complain that nobody has
