"""The planner of AddEvent and AddEventBatch: from the pools of a flush to everything it writes."""

from collections.abc import Sequence
from typing import Any, Literal, cast

from consumer.core.analytics.decode import Pool
from consumer.core.analytics.new_items import NewItem, PoolVerdict, dedupe_items
from consumer.core.analytics.titles import Titles
from consumer.core.flush import Flush
from consumer.core.plan import Documents, WritePlan, exception_of, frame_of
from consumer.core.reads import Known, Reads, TitleReads
from consumer.core.windows import Sums, increments
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import EventDocument, ExceptionDocument, actor_of, is_anonymous, title_key, utc
from schemas.settings import Limits
from schemas.windows import window_of

SOURCE = "analytics"

Clock = Literal["future", "old"]


def reads_of(flush: Flush) -> Reads:
    """Which items are stored, and which of their titles (and apps) are registered."""
    events: dict[str, None] = {}
    apps: dict[str, None] = {}
    senders: dict[str, set[str]] = {}
    for pool in _pools(flush):
        app, player = pool.origin.app, pool.origin.player
        sender = () if is_anonymous(player) else (actor_of(app, player),)
        events.update(dict.fromkeys(pool.items))
        for title in {item.title for item in pool.items.values()}:
            senders.setdefault(title_key(app, title), set()).update(sender)
        apps[app] = None
    return Reads(flush.partition, flush.size, events=tuple(events), titles=TitleReads(senders, tuple(apps)))


def make_plan(flush: Flush, known: Known, limits: Limits) -> WritePlan:
    """Every fate, sum and document of a flush."""
    partition = flush.partition
    verdicts = dedupe_items(_pools(flush), known.events, limits)
    titles = Titles(known.titles, limits, partition)
    events: dict[str, EventDocument] = {}
    sums: Sums = {}
    for verdict in verdicts:
        pool, own = verdict.pool, limits.for_app(verdict.pool.origin.app)
        shared = _shared(pool, partition)
        for item_key, new in verdict.new.items():
            at_millis = new.item.at_millis
            clock = clock_of(at_millis, pool.origin.received_millis, own)
            events[item_key] = _event(item_key, new, at_millis, clock, shared)
            window = window_of(pool.origin.received_millis if clock else at_millis)
            key = (window, pool.origin.app, titles.counted(pool, new.item.title))
            sums[key] = sums.get(key, 0) + 1
    frame = frame_of(flush, [verdict.fate for verdict in verdicts])
    return WritePlan(
        checkpoint=frame.checkpoint,
        periods=increments(sums, SOURCE, partition),
        # One that is stored already is older than event_retention, or it would be a repeat.
        events=Documents(events, frozenset(events.keys() & known.events.keys())),
        titles=titles.writes(),
        exceptions=[_exception(v, partition) for v in verdicts if v.cause] + frame.exceptions,
        dead_letters=frame.dead_letters,
    )


def clock_of(at_millis: int, received_millis: int, limits: Limits) -> Clock | None:
    """What is wrong with the client's clock, if anything is (A6). Equal to a limit passes."""
    if at_millis > received_millis + limits.clock_skew_tolerance_seconds * 1000:
        return "future"
    return "old" if received_millis - at_millis > limits.max_event_age_seconds * 1000 else None


def _pools(flush: Flush) -> Sequence[Pool]:
    return [decoded for decoded in flush.decoded if isinstance(decoded, Pool)]


def _shared(pool: Pool, partition: PartitionId) -> dict[str, Any]:
    """What the documents of a pool have in common."""
    origin = pool.origin
    shared = {
        "app": origin.app,
        "actor": origin.player,
        "anonymous": is_anonymous(origin.player),
        "receivedAt": utc(origin.time_millis),
        "from": str(Coordinates(*partition, origin.offset)),
    }
    optional = {"media": pool.media.info, "mediaRaw": pool.media.raw, "requestId": pool.request_id}
    return shared | {name: value for name, value in optional.items() if value is not None}


def _event(key: str, new: NewItem, at_millis: int, clock: Clock | None, shared: dict[str, Any]) -> EventDocument:
    item = new.item
    own = {"_id": key, "at": utc(at_millis), "event": item.title, "data": item.data}
    if item.extra:
        own["extra"] = item.extra
    if clock:
        own["clock"] = clock
    if new.digest is not None:
        own["digest"] = new.digest
    return cast("EventDocument", own | shared)


def _exception(verdict: PoolVerdict, partition: PartitionId) -> ExceptionDocument:
    """Of a pool that was not applied, or not whole: other items than before are stored under its request id."""
    pool = verdict.pool
    document = exception_of(pool.origin, partition, verdict.fate, verdict.cause, pool.request_id)
    return {**document, "differing": list(verdict.differing)} if verdict.differing else document
