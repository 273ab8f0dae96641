"""The one place that opens MongoDB transactions (a test looks for others).

`await session.start_transaction()` forgotten writes outside any transaction without a word; with_transaction can't
be misused so, and it tries again after a lost race.
"""

from collections.abc import Awaitable, Callable
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
