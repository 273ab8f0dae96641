"""A WritePlan: everything one flush writes, as plain data. The store only carries it out.

Each API makes its own (games/plan.py, analytics/plan.py). The same records in any split of flushes, from any restart
point, add up to the same documents.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

import msgspec

from consumer.core.dead import dead_exception, dead_letter
from consumer.core.flush import Flush
from consumer.core.position import fingerprint
from consumer.core.reads import Shares
from consumer.core.records import Origin
from consumer.core.windows import PeriodIncrement
from schemas.checkpoints import Fingerprint
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import (
    DeadLetterDocument,
    EventDocument,
    ExceptionDocument,
    Fate,
    TitleDocument,
    utc,
)
from schemas.request_ids import StoredRequest

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class CheckpointMove:
    """The checkpoint's move from `start` to `end`. Fates and gaps add up to end - start.

    `visible`: how long the records of the flush before took until they were visible (schemas/visible.py). A flush can't
    know its own.
    """

    partition: PartitionId
    start: int
    end: int
    last: Fingerprint
    fates: Mapping[Fate, int]
    gaps: int
    visible: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Documents(Generic[D]):
    """Documents to write whole, by `_id`. `replaced`: those that replace one that is stored."""

    by_id: Mapping[str, D] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()


class PlayerIncrement(msgspec.Struct, frozen=True, gc=False):
    """What one flush adds to one player: counts by definitionId, and the time of the last record that did."""

    totals: Mapping[str, int]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TitleWrites:
    """What one flush writes to `titles`."""

    documents: Documents[TitleDocument] = Documents()
    added: Mapping[str, Shares] = field(default_factory=dict)
    """What each app's counts of titles change by."""
    others: int = 0
    """Items that count as `(other)`."""


@dataclass(frozen=True, slots=True)
class WritePlan:
    """One flush as data: the checkpoint's move, and every document that changes with it.

    Mappings are keyed by `_id`, so no document is written twice. `requests` are keyed by the whole id.
    """

    checkpoint: CheckpointMove
    periods: Mapping[str, PeriodIncrement]
    exceptions: Sequence[ExceptionDocument]
    dead_letters: Sequence[DeadLetterDocument]
    players: Mapping[str, PlayerIncrement] = field(default_factory=dict)
    requests: Mapping[str, StoredRequest] = field(default_factory=dict)
    """What is to be remembered of each requestId that counts. How ids are packed is the store's business."""
    events: Documents[EventDocument] = Documents()
    titles: TitleWrites = TitleWrites()


class Frame(NamedTuple):
    """What is planned of a flush for either API: the checkpoint's move, and what is kept of dead records."""

    checkpoint: CheckpointMove
    exceptions: list[ExceptionDocument]
    dead_letters: list[DeadLetterDocument]


def frame_of(flush: Flush, fates: Iterable[Fate]) -> Frame:
    """`fates`: of its readable records; the others are dead."""
    counts, dead, last = Counter(fates), flush.unreadable, flush.records[-1]
    end = last.offset + 1
    move = CheckpointMove(
        partition=flush.partition,
        start=flush.start,
        end=end,
        last=fingerprint(last),
        fates={
            "applied": counts["applied"],
            "duplicate": counts["duplicate"],
            "refused": counts["refused"],
            "dead": len(dead),
        },
        gaps=end - flush.start - len(flush.decoded),
    )
    exceptions = [dead_exception(one, flush.partition) for one in dead]
    return Frame(move, exceptions, [dead_letter(one, flush.partition) for one in dead])


def exception_of(
    origin: Origin, partition: PartitionId, fate: Fate, cause: str, request_id: int | str | None
) -> ExceptionDocument:
    """The entry of `exceptions` for a readable record that was not applied, or not as its client meant it."""
    return {
        "_id": str(Coordinates(*partition, origin.offset)),
        "fate": fate,
        "cause": cause,
        "app": origin.app,
        "player": origin.player,
        "requestId": request_id,
        "at": utc(origin.time_millis),
    }
