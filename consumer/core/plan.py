"""From decoded records to a WritePlan: everything one flush writes, as plain data. The store only obeys it.

    flush --questions()--> what the store must read --make_plan()--> what it must write

The same records in any split of flushes, from any restart point, add up to the same documents.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consumer.core.analytics.decode import Pool
from consumer.core.analytics.new_items import NO_POOLS, KnownPools, PoolVerdict, PoolWrites, judge_pools, write_pools
from consumer.core.dead import dead_exception, dead_letter
from consumer.core.decode import Decoded, Unreadable, stored_bytes_of, weight_of
from consumer.core.games.aggregate import PlayerIncrement, sum_periods, sum_players
from consumer.core.games.decode import Batch, Unjudged
from consumer.core.games.dedupe import SeenRequest, Verdict, dedupe
from consumer.core.games.judge import Definitions, judge_unjudged
from consumer.core.position import fingerprint
from consumer.core.records import Record
from consumer.core.windows import PeriodIncrement
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import (
    DeadLetterDocument,
    ExceptionDocument,
    Fate,
    Fingerprint,
    RequestDocument,
    request_key,
    title_key,
    utc,
)
from schemas.settings import Limits


@dataclass(frozen=True, slots=True)
class Flush:
    """The records of one partition read since `start`, in order, and each decoded. Never empty."""

    partition: PartitionId
    start: int
    records: Sequence[Record]
    decoded: Sequence[Decoded]

    @property
    def last(self) -> Record:
        return self.records[-1]

    @property
    def end(self) -> int:
        """The next offset to apply once this flush is."""
        return self.last.offset + 1

    @property
    def size_bytes(self) -> int:
        return sum(record.size_bytes for record in self.records)

    @property
    def stored_bytes(self) -> int:
        """What it makes a transaction hold."""
        return sum(map(stored_bytes_of, self.records, self.decoded))

    @property
    def weight(self) -> int:
        """What it writes, in batches or items."""
        return sum(weight_of(decoded) for decoded in self.decoded)

    @property
    def pools(self) -> Iterator[Pool]:
        return (decoded for decoded in self.decoded if isinstance(decoded, Pool))

    @property
    def oldest_millis(self) -> int:
        return self.records[0].timestamp_millis

    def halves(self) -> tuple["Flush", "Flush"]:
        """The same records as two flushes, to be applied in this order. There must be two records."""
        middle = len(self.records) // 2
        first = Flush(self.partition, self.start, self.records[:middle], self.decoded[:middle])
        return first, Flush(self.partition, first.end, self.records[middle:], self.decoded[middle:])

    def as_dead(self, reason: str, *, bug: bool = False) -> "Flush":
        """The same records, all to be set aside."""
        dead = [Unreadable(record, reason, bug) for record in self.records]
        return Flush(self.partition, self.start, self.records, dead)


@dataclass(frozen=True, slots=True)
class Questions:
    """What a plan must know: which of these requests are remembered, and the definitions of these apps.

    Of pools: which of these events are stored, which of these titles (and apps) registered.
    """

    requests: Sequence[str]
    apps: Sequence[str]
    events: Sequence[str] = ()
    titles: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """The answers, read in the flush's own transaction. `requests` is keyed by request_key."""

    requests: Mapping[str, SeenRequest] = field(default_factory=dict)
    definitions: Definitions = field(default_factory=dict)
    pools: KnownPools = field(default_factory=KnownPools)


@dataclass(frozen=True, slots=True)
class WritePlan:
    """One flush as data: the checkpoint's move from `start` to `end`, and every document that changes with it.

    Fates and gaps add up to end - start. Mappings are keyed by `_id`, so no document is written twice.
    """

    partition: PartitionId
    start: int
    end: int
    last: Fingerprint
    fates: Mapping[Fate, int]
    gaps: int
    players: Mapping[str, PlayerIncrement]
    periods: Mapping[str, PeriodIncrement]
    requests: Mapping[str, RequestDocument]
    forgotten: frozenset[str]
    """Ids in `requests` whose remembered document is older than the dedupe window, and is replaced."""
    exceptions: Sequence[ExceptionDocument]
    dead_letters: Sequence[DeadLetterDocument]
    pools: PoolWrites = NO_POOLS


def questions(flush: Flush) -> Questions:
    """What the store must read before this flush can be planned."""
    ids: dict[str, None] = {}
    apps: dict[str, None] = {}
    events: dict[str, None] = {}
    titles: dict[str, None] = {}
    for decoded in flush.decoded:
        if isinstance(decoded, Batch):
            ids[request_key(decoded.app, decoded.player, decoded.request_id)] = None
        elif isinstance(decoded, Pool):
            events.update(dict.fromkeys(decoded.items))
            titles.update((title_key(decoded.app, item.title), None) for item in decoded.items.values())
            titles[decoded.app] = None
        elif isinstance(decoded, Unjudged):
            owner = decoded.envelope
            ids[request_key(owner.app, owner.player, decoded.request.request_id)] = None
            apps[owner.app] = None
    return Questions(tuple(ids), tuple(apps), tuple(events), tuple(titles))


def make_plan(flush: Flush, known: Known, limits: Limits) -> WritePlan:
    """Every fate, sum and document of a flush. Pure: planned again after a lost race, it gives the same."""
    unreadable = [d for d in flush.decoded if isinstance(d, Unreadable)]
    batches = [
        judge_unjudged(d, known.definitions, limits) if isinstance(d, Unjudged) else d
        for d in flush.decoded
        if isinstance(d, Batch | Unjudged)
    ]
    verdicts = dedupe(batches, known.requests, limits.dedupe_window_seconds * 1000)
    applied = [verdict.batch for verdict in verdicts if verdict.fate == "applied"]
    requests = {request_key(b.app, b.player, b.request_id): _request(b, flush.partition) for b in applied}
    pools = judge_pools(flush.pools, known.pools.events, limits)
    written = write_pools(pools, known.pools, limits, flush.partition) if pools else NO_POOLS
    return WritePlan(
        partition=flush.partition,
        start=flush.start,
        end=flush.end,
        last=fingerprint(flush.last),
        fates=_fates([*(v.fate for v in verdicts), *(v.fate for v in pools)], len(unreadable)),
        gaps=flush.end - flush.start - len(flush.decoded),
        players=sum_players(applied),
        periods={**sum_periods(applied, flush.partition), **written.periods},
        requests=requests,
        forgotten=frozenset(requests.keys() & known.requests.keys()),
        exceptions=[_exception(v, flush.partition) for v in verdicts if v.fate != "applied"]
        + [_pool_exception(v, flush.partition) for v in pools if v.cause]
        + [dead_exception(d, flush.partition) for d in unreadable],
        dead_letters=[dead_letter(d, flush.partition) for d in unreadable],
        pools=written,
    )


def _fates(decided: Iterable[Fate], dead: int) -> dict[Fate, int]:
    counts: Counter[Fate] = Counter(decided)
    return {
        "applied": counts["applied"],
        "duplicate": counts["duplicate"],
        "refused": counts["refused"],
        "dead": dead,
    }


def _request(batch: Batch, partition: PartitionId) -> RequestDocument:
    return {
        "_id": request_key(batch.app, batch.player, batch.request_id),
        "crc": batch.crc,
        "from": str(Coordinates(*partition, batch.offset)),
        "at": utc(batch.time_millis),
    }


def _exception(verdict: Verdict, partition: PartitionId) -> ExceptionDocument:
    batch = verdict.batch
    return {
        "_id": str(Coordinates(*partition, batch.offset)),
        "fate": verdict.fate,
        "cause": verdict.cause,
        "app": batch.app,
        "player": batch.player,
        "requestId": batch.request_id,
        "at": utc(batch.time_millis),
    }


def _pool_exception(verdict: PoolVerdict, partition: PartitionId) -> ExceptionDocument:
    """Of one that was not applied, or not whole: other items than before stand under its request id."""
    pool = verdict.pool
    document: ExceptionDocument = {
        "_id": str(Coordinates(*partition, pool.offset)),
        "fate": verdict.fate,
        "cause": verdict.cause,
        "app": pool.app,
        "player": pool.player,
        "requestId": pool.request_id,
        "at": utc(pool.time_millis),
    }
    return {**document, "differing": list(verdict.differing)} if verdict.differing else document
