"""A record source and a store in memory: for tests, and to try the worker without servers.

The same contract tests run against them as against Kafka and MongoDB.
"""

import asyncio
import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from consumer.core.gap import Gap
from consumer.core.plan import WritePlan
from consumer.core.position import Bounds, Checkpoint
from consumer.core.reads import Known, KnownItem, KnownTitles, Reads, SeenRequest, TitleReads, split_titles
from consumer.core.records import Record
from consumer.ports import Given, LeaderChanged, Moved, Plan, TopicIdentity
from schemas.checkpoints import fresh_checkpoint
from schemas.coordinates import PartitionId
from schemas.definitions import Definition
from schemas.documents import (
    CHECKPOINTS,
    DEAD_LETTERS,
    EVENTS,
    EXCEPTIONS,
    PERIOD_COUNTS,
    PLAYERS,
    REQUESTS,
    TITLES,
    millis_of,
)
from schemas.request_ids import StoredRequest, keep_newest, lookup, packed

Documents = dict[str, dict[str, Any]]

COLLECTIONS = (PLAYERS, REQUESTS, PERIOD_COUNTS, CHECKPOINTS, EXCEPTIONS, DEAD_LETTERS, EVENTS, TITLES)


class MemorySource:
    """One topic with a single member. `append` is the producer's side."""

    def __init__(self, partitions: int, topic: TopicIdentity) -> None:
        self.records: list[list[Record]] = [[] for _ in range(partitions)]
        self.committed: dict[int, int] = {}
        self.begins: dict[int, int] = {}
        """Partitions of which retention has removed everything below an offset."""
        self.ends: dict[int, int] = {}
        """Partitions that end behind their last record: with control records, say."""
        self._topic = topic
        self._assigned: frozenset[int] = frozenset()
        self._positions: dict[int, int] = {}
        self._appended = asyncio.Event()
        self._given: Given | None = None
        self._elected: list[int] = []

    def append(self, partition: int, record: Record) -> None:
        """Add a record; its offset may leave a gap, and must not go back."""
        self.records[partition].append(record)
        self._appended.set()

    def append_gap(self, partition: int, offsets: int = 1) -> None:
        """End a producer's transaction: offsets that hold no record."""
        self.ends[partition] = self._end(partition) + offsets
        self._appended.set()

    @property
    def is_member(self) -> bool:
        return self._given is not None

    async def start(self, given: Given) -> None:
        self._given = given
        self.rebalance(range(len(self.records)))

    def rebalance(self, share: Iterable[int]) -> None:
        """Give the member another share. What it keeps is read on."""
        self._assigned = frozenset(share)
        for lost in self._positions.keys() - self._assigned:
            del self._positions[lost]
        if self._given:
            self._given(self._assigned)

    async def identity(self) -> TopicIdentity:
        return self._topic

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        if self._elected:
            elected, self._elected = self._elected, []
            raise LeaderChanged(elected)
        if not (fetched := self._drain()):
            self._appended.clear()
            try:
                await asyncio.wait_for(self._appended.wait(), timeout_seconds)
            except TimeoutError:
                return {}
            fetched = self._drain()
        return fetched

    def _drain(self) -> dict[int, Sequence[Record]]:
        fetched: dict[int, Sequence[Record]] = {}
        for partition, position in self._positions.items():
            if found := [r for r in self.records[partition] if r.offset >= position]:
                fetched[partition] = found
            self._positions[partition] = max(position, self._end(partition))
        return fetched

    def seek(self, partition: int, offset: int) -> None:
        if partition in self._assigned:
            self._positions[partition] = offset
            self._appended.set()

    def pause(self, partition: int) -> None:
        self._positions.pop(partition, None)

    async def bounds(self, partition: int) -> Bounds:
        begin = self.begins.get(partition, 0)
        return Bounds(begin, max(begin, self._end(partition)))

    def end_offset(self, partition: int) -> int | None:
        return self._end(partition) if partition in self._assigned else None

    def reached(self, partition: int) -> int | None:
        return self._positions.get(partition)

    def uncommitted(self, partition: int) -> int | None:
        return 0 if partition in self._assigned else None

    def unread_seconds(self, partition: int) -> float:  # noqa: ARG002 memory answers always
        return 0.0

    def neglected_seconds(self, partition: int) -> float:  # noqa: ARG002 the same
        return 0.0

    def unreachable_seconds(self) -> float:
        return 0.0

    def elect(self, partition: int) -> None:
        """Let another broker lead a partition: its log may hold something else from now on."""
        if self._positions.pop(partition, None) is not None:
            self._elected.append(partition)
            self._appended.set()

    def _end(self, partition: int) -> int:
        records = self.records[partition]
        return max(records[-1].offset + 1 if records else 0, self.ends.get(partition, 0))

    async def commit(self, positions: Mapping[int, int]) -> None:
        self.committed.update(positions)

    async def stop(self) -> None:
        self._assigned = frozenset()
        self._positions.clear()


class MemoryStore:
    """All documents by collection and `_id`. A flush is applied between two turns of the event loop: whole."""

    def __init__(self, definitions: Sequence[Definition] = ()) -> None:
        self.collections: dict[str, Documents] = {name: {} for name in COLLECTIONS}
        self._definitions = definitions

    async def lineage(self, topic: TopicIdentity) -> str:  # noqa: ARG002 one lineage is all there is in memory
        return "r1"

    async def claim(self, partition: PartitionId, owner: str) -> Checkpoint:
        checkpoint = self.collections[CHECKPOINTS].setdefault(
            str(partition), {"_id": str(partition), **fresh_checkpoint(0)}
        )
        checkpoint["owner"] = owner
        checkpoint.pop("stopped", None)
        return Checkpoint(checkpoint["next"], checkpoint["last"])

    async def release(self, partition: PartitionId) -> None:
        self.collections[CHECKPOINTS].get(str(partition), {}).pop("owner", None)

    async def note_stopped(self, partition: PartitionId, reason: str) -> None:
        self.collections[CHECKPOINTS][str(partition)]["stopped"] = reason

    async def apply(self, reads: Reads, plan: Plan) -> WritePlan:
        planned = plan(self._known(reads))
        move, checkpoint = planned.checkpoint, self.collections[CHECKPOINTS][str(reads.partition)]
        if checkpoint["next"] != move.start:
            raise Moved(Checkpoint(checkpoint["next"], checkpoint["last"]))
        checkpoint.update(next=move.end, last=dict(move.last), gaps=checkpoint["gaps"] + move.gaps)
        for fate, count in move.fates.items():
            checkpoint["fates"][fate] += count
        _increment(checkpoint.setdefault("visible", {}), move.visible)
        self._write(planned)
        return planned

    async def pass_over(self, gap: Gap) -> None:
        checkpoint = self.collections[CHECKPOINTS][str(gap.partition)]
        if checkpoint["next"] != gap.start:
            raise Moved(Checkpoint(checkpoint["next"], checkpoint["last"]))
        checkpoint.update(next=gap.end, gaps=checkpoint["gaps"] + gap.offsets)

    def _known(self, reads: Reads) -> Known:
        events = self._found(EVENTS, reads.events)
        return Known(
            requests=self._requests(reads.requests) if reads.requests else {},
            definitions={app: [d for d in self._definitions if d.app == app] for app in reads.apps},
            events={one["_id"]: KnownItem(millis_of(one["receivedAt"]), one.get("digest")) for one in events},
            titles=self._known_titles(reads.titles) if reads.events else KnownTitles(),
        )

    def _requests(self, keys: Sequence[str]) -> dict[str, SeenRequest]:
        wanted, stored = frozenset(keys), dict[str, StoredRequest]()
        hashes = frozenset(lookup(keys)["keys"]["$in"])
        for document in self.collections[REQUESTS].values():
            if not hashes.isdisjoint(document["keys"]):
                keep_newest(stored, document, wanted)
        return {key: SeenRequest(one.time_millis, one.crc) for key, one in stored.items()}

    def _known_titles(self, reads: TitleReads) -> KnownTitles:
        documents, shares = split_titles(self._found(TITLES, reads.keys))
        actors, titles = reads.actors(documents), self.collections[TITLES].values()
        by_actor = Counter(one["by"] for one in titles if one.get("by") in actors and "freed" not in one)
        return KnownTitles(documents, shares, by_actor)

    def _found(self, collection: str, keys: Sequence[str]) -> list[dict[str, Any]]:
        documents = self.collections[collection]
        return [documents[key] for key in keys if key in documents]

    def _write(self, plan: WritePlan) -> None:
        for actor, player in plan.players.items():
            document = self.collections[PLAYERS].setdefault(actor, {"_id": actor, "totals": {}})
            _increment(document["totals"], player.totals)
            document["updatedAt"] = max(document.get("updatedAt", player.updated_at), player.updated_at)
        for key, period in plan.periods.items():
            fresh = {"hour": period.hour, "app": period.app, "source": period.source, "event": period.event}
            document = self.collections[PERIOD_COUNTS].setdefault(key, {"_id": key, **fresh, "count": 0, "minutes": {}})
            _increment(document["minutes"], period.minutes)
            document["count"] += period.count
        for ids in packed(plan.checkpoint.partition, plan.requests):
            self.collections[REQUESTS][ids["_id"]] = dict(ids)
        for exception in plan.exceptions:
            self.collections[EXCEPTIONS][exception["_id"]] = dict(exception)
        for letter in plan.dead_letters:
            self.collections[DEAD_LETTERS][letter["_id"]] = dict(letter)
        self.collections[EVENTS].update(copy.deepcopy(dict(plan.events.by_id)))  # type: ignore[arg-type]  # typed dicts
        titles, written = self.collections[TITLES], plan.titles
        titles.update(copy.deepcopy(dict(written.documents.by_id)))  # type: ignore[arg-type]  # the same
        for app, added in written.added.items():
            numbers = titles.setdefault(app, {"_id": app, "count": 0, "anonymous": 0})
            _increment(numbers, {"count": added.players, "anonymous": added.anonymous})


def _increment(totals: dict[str, int], added: Mapping[str, int]) -> None:
    for name, count in added.items():
        totals[name] = totals.get(name, 0) + count
