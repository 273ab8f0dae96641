"""The planner of events.record: from the batches of a flush to everything it writes."""

from consumer.core.flush import Flush
from consumer.core.games.aggregate import sum_periods, sum_players
from consumer.core.games.decode import Batch, Unjudged
from consumer.core.games.dedupe import dedupe
from consumer.core.games.judge import judge_unjudged
from consumer.core.plan import WritePlan, dead_exceptions, dead_letters, exception_of, move_of
from consumer.core.reads import Known, Reads
from schemas.documents import request_key
from schemas.request_ids import StoredRequest
from schemas.settings import Limits


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
    batches = [
        judge_unjudged(d, known.definitions, limits) if isinstance(d, Unjudged) else d
        for d in flush.decoded
        if isinstance(d, Batch | Unjudged)
    ]
    verdicts = dedupe(batches, known.requests, limits.dedupe_window_seconds * 1000)
    applied = [verdict.batch for verdict in verdicts if verdict.fate == "applied"]
    refused = [
        exception_of(v.batch.origin, flush.partition, v.fate, v.cause, v.batch.request_id)
        for v in verdicts
        if v.fate != "applied"
    ]
    return WritePlan(
        checkpoint=move_of(flush, (verdict.fate for verdict in verdicts)),
        players=sum_players(applied),
        periods=sum_periods(applied, flush.partition),
        # Of an id that counts twice here, the later stays: dedupe has put dedupe_window between the two.
        requests={b.key: StoredRequest(b.origin.time_millis, b.crc, b.origin.offset) for b in applied},
        exceptions=refused + dead_exceptions(flush),
        dead_letters=dead_letters(flush),
    )
