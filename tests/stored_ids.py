"""The ids in `requests`, unpacked."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from schemas.documents import utc
from schemas.request_ids import unpacked


class StoredId(NamedTuple):
    """When and where an id has counted, and what."""

    at: datetime
    place: str
    """The record: lineage/partition/offset."""
    crc: int


def stored_ids(documents: Iterable[Mapping[str, Any]]) -> dict[str, StoredId]:
    """All ids of these documents. Of one that has counted twice, the later."""
    found: dict[str, StoredId] = {}
    for document in documents:
        partition = document["_id"].rpartition("/")[0]
        for key, one in unpacked(document):
            stored = StoredId(utc(one.time_millis), f"{partition}/{one.offset}", one.crc)
            found[key] = max(stored, found.get(key, stored))
    return found
