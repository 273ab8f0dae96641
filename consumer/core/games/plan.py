"""The planner of events.record: from the batches of a flush to everything it writes."""

from consumer.core.flush import Flush
from consumer.core.games.decode import Batch, Unjudged
from consumer.core.games.judge import judge_unjudged
from consumer.core.games.tally import tally
from consumer.core.plan import PlayerIncrement, WritePlan, exception_of, frame_of
from consumer.core.reads import Known, Reads
from consumer.core.windows import increments
from schemas.documents import Fate, request_key, utc
from schemas.request_ids import StoredRequest
from schemas.settings import Limits

SOURCE = "games"


def reads_of(flush: Flush) -> Reads:
    """Which request ids have counted; and, for records that no ingress has judged, their apps' definitions."""
    requests: dict[str, None] = {}
    apps: dict[str, None] = {}
    for decoded in flush.decoded:
        if isinstance(decoded, Batch):
            requests[decoded.key] = None
        elif isinstance(decoded, Unjudged):
            owner = decoded.envelope
            requests[request_key(owner.app, owner.player, decoded.request.request_id)] = None
            apps[owner.app] = None
    return Reads(flush.partition, flush.size, requests=tuple(requests), apps=tuple(apps))


def make_plan(flush: Flush, known: Known, limits: Limits) -> WritePlan:
    """Every fate, sum and document of a flush."""
    partition = flush.partition
    batches = [
        judge_unjudged(one, known.definitions, limits) if isinstance(one, Unjudged) else one
        for one in flush.decoded
        if isinstance(one, Batch | Unjudged)
    ]
    counted = tally(batches, known.requests, limits.dedupe_window_seconds * 1000)
    fates: list[Fate] = ["applied"] * counted.applied
    frame = frame_of(flush, fates + [one.fate for one in counted.others])
    refused = [exception_of(b.origin, partition, fate, cause, b.request_id) for b, fate, cause in counted.others]
    remembered = counted.remembered.items()
    return WritePlan(
        checkpoint=frame.checkpoint,
        players={key: PlayerIncrement(one.totals, utc(one.latest_millis)) for key, one in counted.players.items()},
        periods=increments(counted.windows, SOURCE, partition),
        # Of an id that counts twice here, the later stays: dedupe_window lies between the two.
        requests={key: StoredRequest(b.origin.time_millis, b.crc, b.origin.offset) for key, b in remembered},
        exceptions=refused + frame.exceptions,
        dead_letters=frame.dead_letters,
    )
