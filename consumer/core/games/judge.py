"""Judges a record that no ingress has judged: by its own time, and by the definitions that were valid then (G12)."""

from consumer.core.games.decode import Batch, Unjudged, judged_batch
from consumer.core.reads import Definitions
from schemas.documents import utc
from schemas.games.judging import judge
from schemas.settings import Limits


def judge_unjudged(unjudged: Unjudged, definitions: Definitions, limits: Limits) -> Batch:
    """The batch that this record is, by the same function as the ingress uses, and its app's limits."""
    envelope = unjudged.envelope
    received = utc(envelope.received_millis)
    declared = {d.definition_id for d in definitions.get(envelope.app, ()) if d.in_force(received)}
    judgement = judge(unjudged.request, envelope.received_millis, limits.for_app(envelope.app), declared)
    return judged_batch(unjudged.record, envelope, unjudged.request, judgement)
