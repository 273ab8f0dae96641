"""Reads stored documents. One that was changed by hand is no record's fault, and ends no process.

Whoever needs it waits and tries again, because it may be restored meanwhile. The log says which document it is.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from pymongo.asynchronous.cursor import AsyncCursor

from consumer.core.position import Checkpoint
from consumer.core.reasons import short
from consumer.mongo.transactions import Document
from consumer.ports import Unavailable
from schemas.checkpoints import Fingerprint
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS

T = TypeVar("T")

# Other ids name players, or are their text.
_names_a_place = re.compile(r"r[0-9]+/[0-9]+(?:/[0-9]+)?").fullmatch


class _Position(msgspec.Struct):
    """What the worker reads of a checkpoint."""

    next: Annotated[int, msgspec.Meta(ge=0)]
    last: Fingerprint | None


def checkpoint_of(partition: PartitionId, found: Document | None) -> Checkpoint:
    """The checkpoint in a document, which its owner has written. Raises Unavailable."""
    if found is None:
        raise _unreadable(f"checkpoint {partition} has been removed: it must be restored")
    position = read(CHECKPOINTS, found, lambda document: msgspec.convert(document, _Position))
    return Checkpoint(position.next, position.last)


async def read_all(collection: str, found: AsyncCursor[Document], reader: Callable[[Document], T]) -> list[T]:
    """Read the documents one by one. Raises Unavailable, and what the cursor raises."""
    return [read(collection, document, reader) async for document in found]


def read(collection: str, document: Mapping[str, Any], reader: Callable[[Any], T]) -> T:
    """What `reader` makes of a document. Raises Unavailable if it raises anything."""
    try:
        return reader(document)
    except Exception as error:
        identity = str(document.get("_id", ""))
        name = f"document {identity}" if _names_a_place(identity) else "a document"
        fault = f" ({error})" if isinstance(error, msgspec.ValidationError) else ""
        problem = f"{name} of {collection} is not as tallymill writes it{fault}: it must be restored"
        raise _unreadable(problem) from error


def _unreadable(problem: str) -> Unavailable:
    """It delays this call, and MongoDB is not lost."""
    made = Unavailable(short(f"MongoDB: {problem}"))
    made.lost = False
    return made
