"""Two layouts of remembered ids, for bench.steady: packed as workers store them, and one document an id as before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection

from bench.records import APP
from ops.init.mongo_layout import COLLECTION_OPTIONS
from schemas.coordinates import PartitionId
from schemas.documents import REQUESTS, request_key, utc
from schemas.request_ids import LOOKUP_FIELDS, MAX_IDS, StoredRequest, lookup, packed

Document = dict[str, Any]
Ids = Mapping[str, StoredRequest]
"""What is stored of each id."""

# A lineage that no `init` starts: the `_id`s differ from those of every worker.
PARTITION = PartitionId("r0", 3)
PLAYERS = 100_000
# Steps over the players, so that neighbouring ids are of different ones. It shares no factor with their number.
STRIDE = 7_919
# Clients choose requestIds at random. Odd, so that different numbers give different ids.
SCATTER = 0x9E3779B97F4A7C15

# More than any age here: nothing expires before it is told to.
NEVER_SECONDS = 2**31 - 1


def ids_of(first: int, count: int, millis: int) -> Ids:
    """So many different ids, as if their records had this time."""
    return {
        request_key(APP, f"player-{n * STRIDE % PLAYERS}", n * SCATTER % 2**63): StoredRequest(millis, _crc(n), n)
        for n in range(first, first + count)
    }


def _crc(number: int) -> int:
    return number * SCATTER >> 16 & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Layout:
    """How ids become documents, and how they are found again."""

    name: str
    ids_each: int
    """Of a full document."""
    documents: Callable[[Ids], Sequence[Mapping[str, Any]]]
    query: Callable[[Sequence[str]], Document]
    fields: Mapping[str, int] | None = None
    keys: tuple[str, ...] = ()
    """What is indexed beside `_id` and `at`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of its collection."""

    def indexes(self) -> list[IndexModel]:
        found = [IndexModel([(key, ASCENDING)]) for key in self.keys]
        return [*found, IndexModel([("at", ASCENDING)], expireAfterSeconds=NEVER_SECONDS)]

    async def dedupe(self, collection: AsyncCollection[Document], session: AsyncClientSession, ids: Ids) -> None:
        """What a flush does with its ids: look all of them up, and insert those that are new: all."""
        query = self.query(list(ids))
        found = [one async for one in collection.find(query, self.fields, session=session)]
        assert not found, "an id is there already"
        await collection.insert_many([dict(one) for one in self.documents(ids)], ordered=False, session=session)


def _single_documents(ids: Ids) -> list[Document]:
    return [
        {"_id": key, "crc": one.crc, "from": f"{PARTITION}/{one.offset}", "at": utc(one.time_millis)}
        for key, one in ids.items()
    ]


PACKED = Layout(
    "packed",
    MAX_IDS,
    lambda ids: packed(PARTITION, ids),
    lookup,
    fields=LOOKUP_FIELDS,
    keys=("keys",),
    options=COLLECTION_OPTIONS[REQUESTS],
)
SINGLE = Layout("single", 1, _single_documents, lambda keys: {"_id": {"$in": list(keys)}})
LAYOUTS = {layout.name: layout for layout in (PACKED, SINGLE)}
