"""Kafka and MongoDB in memory, behind the same ports: for tests of the ingress, and for trying it out.

A MemoryTopic acknowledges at once and calls `heard`; it can be made unavailable, or never answer. A MemoryStore holds
what workers would have written, and its `count` does what a worker does.
"""

import asyncio
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from ingress.ports import (
    AppChange,
    FoundRefusal,
    Position,
    RecordOutcome,
    RefusalQuery,
    Rejection,
    SampledRefusal,
    Totals,
    Unavailable,
    Unknown,
)
from schemas.coordinates import Coordinates, PartitionId
from schemas.definitions import Definition
from schemas.documents import millis_of, utc


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    partition: int
    offset: int
    key: bytes
    headers: Sequence[tuple[str, bytes]]
    body: bytes


class MemoryTopic:
    """Implements Publisher."""

    def __init__(self, partitions: int = 4, heard: Callable[[MemoryRecord], None] = lambda _record: None) -> None:
        self.records: list[MemoryRecord] = []
        self._heard = heard
        self.away = False
        self.silent = False
        self._ends = [0] * partitions

    @property
    def ready(self) -> bool:
        return not self.away

    @property
    def waiting_bytes(self) -> int:
        return 0

    def partition_of(self, key: bytes) -> int:
        return zlib.crc32(key) % len(self._ends)

    async def publish(self, key: bytes, headers: Sequence[tuple[str, bytes]], body: bytes) -> Position | None:
        if self.away:
            raise Unavailable("the test has made it unavailable")
        partition = self.partition_of(key)
        offset = self._ends[partition]
        self._ends[partition] += 1
        self.records.append(MemoryRecord(partition, offset, key, headers, body))
        self._heard(self.records[-1])
        if self.silent:
            # The worst case: Kafka has the record and sends no ack.
            raise Unknown("the test has made it silent")
        return Position(partition, offset)


class MemoryStore:
    """Implements the stores of ingress/ports.py."""

    def __init__(self, lineage: str | None = "r1") -> None:
        self.away = False
        self.lineage = lineage
        self.lineages: dict[str, str] = {}
        """By topic, where it has another than `lineage`."""
        # What workers have written.
        self.next_offsets: dict[PartitionId, int] = {}
        self.players: dict[str, dict[str, int]] = {}
        self.exceptions: dict[Coordinates, Rejection] = {}
        self.counted: dict[tuple[str, str, int], int] = {}
        self.declared: dict[str, list[Definition]] = {}
        self._declarations = 0
        self.refused: list[SampledRefusal] = []
        self.reads: dict[str, int] = {}
        """Queries by kind."""

    def declare(self, app: str, *ids: str, **more: object) -> None:
        """Declare events since 1970, or write them again. `more`: other fields of their Definition."""
        self._declarations += 1
        known = {one.definition_id: one for one in self.declared.get(app, ())}
        for one in ids:
            fields = {"default_language": "en", "names": {"en": one}, "declared_at": utc(0), **more}
            fields |= {"app": app, "definition_id": one, "updated_at": utc(self._declarations)}
            known[one] = Definition.model_validate(fields)
        self.declared[app] = list(known.values())

    def count(self, coordinates: Coordinates, actor: str, counts: Mapping[str, int]) -> None:
        """Apply a record as a worker does: totals and checkpoint at once."""
        totals = self.players.setdefault(actor, {})
        for event, number in counts.items():
            totals[event] = totals.get(event, 0) + number
        self.next_offsets[coordinates.partition_id] = coordinates.offset + 1

    def pass_over(self, coordinates: Coordinates, rejection: Rejection) -> None:
        """Move the checkpoint past a record without applying it."""
        self.exceptions[coordinates] = rejection
        self.next_offsets[coordinates.partition_id] = coordinates.offset + 1

    async def checkpoints(self, lineages: Collection[str]) -> Mapping[PartitionId, int]:
        await self._read("checkpoints")
        return {at: end for at, end in self.next_offsets.items() if at.lineage in lineages}

    async def totals(self, actors: Collection[str]) -> Mapping[str, Totals]:
        await self._read("totals")
        return {actor: dict(self.players[actor]) for actor in actors if actor in self.players}

    async def player_totals(self, actor: str) -> Totals:
        await self._read("player_totals")
        return dict(self.players.get(actor, {}))

    async def rejections(self, coordinates: Collection[Coordinates]) -> Mapping[Coordinates, Rejection]:
        await self._read("rejections")
        return {one: self.exceptions[one] for one in coordinates if one in self.exceptions}

    async def outcome(self, coordinates: Coordinates, append_millis: int | None) -> RecordOutcome:
        await self._read("outcome")
        rejection = self.exceptions.get(coordinates)
        is_ours = rejection is None or rejection.is_of(append_millis)
        if is_ours and self.next_offsets.get(coordinates.partition_id, 0) > coordinates.offset:
            return RecordOutcome(passed=True, rejection=rejection)
        return RecordOutcome(
            passed=False, may_still_pass=coordinates.lineage in (self.lineage, *self.lineages.values())
        )

    async def counted_at_millis(self, app: str, player: str, request_id: int) -> int | None:
        await self._read("request")
        return self.counted.get((app, player, request_id))

    async def definitions(self, app: str) -> Sequence[Definition]:
        await self._read("definitions")
        return list(self.declared.get(app, ()))

    async def all_definitions(self, limit: int) -> Mapping[str, Sequence[Definition]]:
        await self._read("all_definitions")
        return {app: list(definitions) for app, definitions in list(self.declared.items())[:limit]}

    async def changed_apps(self, since_millis: int) -> Mapping[str, AppChange]:
        await self._read("changed_apps")
        written = {app: [millis_of(d.updated_at) for d in ds if d.updated_at] for app, ds in self.declared.items()}
        late = {app: [at for at in times if at >= since_millis] for app, times in written.items()}
        return {app: AppChange(max(times), len(times)) for app, times in late.items() if times}

    async def newest_lineage(self, topic: str) -> str | None:
        await self._read(f"lineage of {topic}")
        return self.lineages.get(topic, self.lineage)

    async def add_refusals(self, refusals: Sequence[SampledRefusal]) -> None:
        await self._read("add_refusals")
        self.refused.extend(refusals)

    async def refusals(self, app: str, query: RefusalQuery) -> Sequence[FoundRefusal]:
        await self._read("refusals")
        found = [FoundRefusal(f"{number:024x}", one) for number, one in enumerate(self.refused)]
        wanted = (
            one
            for one in reversed(found)
            if one.refusal.app == app
            and query.cause in (None, one.refusal.cause)
            and query.player in (None, one.refusal.player)
            and (query.before is None or one.refusal_id < query.before)
        )
        return list(islice(wanted, query.limit))

    async def _read(self, kind: str) -> None:
        await asyncio.sleep(0)  # a query lets other tasks run, as a real one does
        self.reads[kind] = self.reads.get(kind, 0) + 1
        if self.away:
            raise Unavailable("the test has made it unavailable")
