"""The one place that opens MongoDB transactions (a test looks for others).

`await session.start_transaction()` forgotten writes outside any transaction without a word; with_transaction can't
be misused so, and it tries again after a lost race.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pymongo
from pymongo import ReadPreference, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.read_concern import ReadConcern

T = TypeVar("T")
Document = dict[str, Any]

# Said out loud: the server's implicit default weakens where a set has arbiters.
DURABLE = WriteConcern(w="majority", j=True)
SNAPSHOT = ReadConcern("snapshot")

# How long the answer to an abort is waited for. Nothing depends on it: the next transaction of the session ends the
# last one, too. A primary that has just taken over answers only once a majority follows it: some 8 s after the election
# where its predecessor is frozen.
ABORT_SECONDS = 1.0

# How long the server may take to confirm a commit; one that is not overloaded confirms within a second. Then the flush
# is tried again, and the checkpoint tells whether it is done. The answer to a commit that was sent to a primary before
# it froze comes, from its successor, as late as that to an abort, and says that there is no such transaction.
COMMIT_MILLIS = 5_000


async def in_transaction(
    session: AsyncClientSession, body: Callable[[AsyncClientSession], Awaitable[T]], commit_millis: int | None = None
) -> T:
    """Run `body` in one transaction and commit it: snapshot reads, majority and journaled writes.

    `body` may run several times. What it raises ends the transaction and comes out here. `commit_millis` is for who can
    find out whether a commit that was not confirmed in time is done.
    """

    async def ended_soon(session: AsyncClientSession) -> T:
        try:
            return await body(session)
        except Exception:
            await _abort(session)
            raise

    return await session.with_transaction(
        ended_soon,
        read_concern=SNAPSHOT,
        write_concern=DURABLE,
        read_preference=ReadPreference.PRIMARY,
        max_commit_time_ms=commit_millis,
    )


async def _abort(session: AsyncClientSession) -> None:
    """As with_transaction would, which waits for as long as it takes. Errors of an abort are the client's to ignore."""
    if session.in_transaction:
        with pymongo.timeout(ABORT_SECONDS):
            await session.abort_transaction()


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
