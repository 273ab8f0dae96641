"""The store in memory: for tests of the console, and for trying it out."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.lookups.memory import MemoryLookups
from console.ports import MomentGone, TooSlow, Unavailable
from console.queries.counts import Part
from console.queries.counts_query import Moment
from console.queries.events import Key, KeysWanted, Stored
from schemas.documents import millis_of

# Its clock begins some time in 2026.
FIRST_SECOND = 1_790_000_000


@dataclass(slots=True)
class MemoryStore:
    """Implements Store.

    `failure`: what every query raises. `parts` and `keys_wanted`: what was read. `moments`: the number of moments
    taken. `kept`: the counts at each moment that is still available.
    """

    counts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    stored: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failure: type[Unavailable | TooSlow] | None = None
    parts: list[Part] = field(default_factory=list)
    keys_wanted: list[KeysWanted] = field(default_factory=list)
    kept: dict[Moment, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    moments: int = 0
    keeps_moments: bool = True
    lookups: MemoryLookups = field(init=False)

    def __post_init__(self) -> None:
        self.lookups = MemoryLookups(self.ping)

    async def now(self) -> Moment:
        await self.ping()
        self.moments += 1
        moment = Moment(FIRST_SECOND + self.moments, 1)
        if self.keeps_moments:
            self.kept[moment] = dict(self.counts)
        return moment

    async def period_counts(self, part: Part, moment: Moment | None) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        self.parts.append(part)
        await self.ping()
        if moment is not None and moment not in self.kept:
            raise MomentGone(f"{moment} is gone")
        for key, document in (self.counts if moment is None else self.kept[moment]).items():
            in_hours = any(low <= key < high for low, high in part.ids)
            if in_hours and part.event in (None, document["event"]):
                left_out = {"_id"} if document["hour"] in part.cut else {"_id", "minutes"}
                yield [{name: value for name, value in document.items() if name not in left_out}]

    async def event_keys(self, wanted: KeysWanted) -> Sequence[Key]:
        self.keys_wanted.append(wanted)
        await self.ping()
        keys = [_key(one) for one in self.stored.values() if _is_wanted(one, wanted)]
        # Not exact: the keys of one millisecond stay in the order of their insertion.
        keys.sort(key=lambda key: key if wanted.exact else Key(key.received_millis, ""), reverse=True)
        return keys[: wanted.limit]

    async def events(self, ids: Sequence[str]) -> Mapping[str, Stored]:
        await self.ping()
        found = {one: self.stored[one] for one in ids if one in self.stored}
        return {one: Stored(document, len(json.dumps(document, default=str))) for one, document in found.items()}

    async def ping(self) -> None:
        await asyncio.sleep(0)  # lets other tasks run, as a query of MongoDB does
        if self.failure:
            raise self.failure("the store in memory was set to fail")


def _key(document: Mapping[str, Any]) -> Key:
    return Key(millis_of(document["receivedAt"]), document["_id"])


def _is_wanted(document: Mapping[str, Any], wanted: KeysWanted) -> bool:
    received = millis_of(document["receivedAt"])
    return (
        document["app"] == wanted.app
        and wanted.player in (None, document["actor"])
        and wanted.event in (None, document["event"])
        and (wanted.from_millis is None or wanted.from_millis <= received)
        and (wanted.to_millis is None or received < wanted.to_millis)
        and (wanted.before is None or _key(document) < wanted.before)
    )
