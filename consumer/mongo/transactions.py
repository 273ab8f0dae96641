"""MongoDB transactions. They are opened nowhere else; a test holds it.

If `await` is forgotten before `session.start_transaction()`, the writes happen outside any transaction, without an
error. with_transaction can't be misused like this, and it retries after a write conflict.
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

# Explicit, because the implicit default is weaker in a replica set with arbiters.
DURABLE = WriteConcern(w="majority", j=True)
SNAPSHOT = ReadConcern("snapshot")

# The time for an abort. Nothing depends on its answer: the session's next transaction ends the last one too. A new
# primary answers only once a majority follows it, some 8 s after the election if the old primary is frozen.
ABORT_SECONDS = 1.0

# The time for a commit. A server that is not overloaded confirms it within a second. After a time-out the flush is
# retried, and the checkpoint shows whether it was committed. If a primary froze before it committed, its successor
# answers that there is no such transaction, as late as it answers an abort.
COMMIT_MILLIS = 5_000


async def in_transaction(
    session: AsyncClientSession, body: Callable[[AsyncClientSession], Awaitable[T]], commit_millis: int | None = None
) -> T:
    """Run `body` in one transaction and commit it: snapshot reads, majority and journaled writes.

    `body` may run several times. Its exceptions abort the transaction and are raised here. A caller that gives
    `commit_millis` must be able to find out whether a commit happened that was not confirmed in time.
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
    """Abort within ABORT_SECONDS. with_transaction would wait without a bound. Errors are ignored by the client."""
    if session.in_transaction:
        with pymongo.timeout(ABORT_SECONDS):
            await session.abort_transaction()


async def uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Await a call of the client. If the caller is cancelled, the call continues and its result is discarded.

    If a call is cancelled in server selection at the moment its wait times out, the client (pymongo 4.20) keeps its
    topology locked for ever, and every later call of the process hangs. Seen in a worker that resumed in a failover.
    """
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_ended)
    return await asyncio.shield(task)


# The event loop has only weak references to tasks.
_running: set[asyncio.Task[Any]] = set()


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # retrieved, or asyncio logs it
