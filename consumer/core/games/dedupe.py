"""Each batch's fate, by whether this player's requestId has counted before.

Seen means: the record's time - the stored time <= dedupe_window. Both are times of records, so that a recount from
Kafka agrees with the worker, however late it reads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from consumer.core.games.decode import Batch
from consumer.core.reads import SeenRequest
from schemas.documents import ALREADY_UPDATED, PAYLOAD_DIFFERS, Fate


@dataclass(frozen=True, slots=True)
class Verdict:
    """A batch's fate. `cause` is empty for an applied one."""

    batch: Batch
    fate: Fate
    cause: str = ""


def dedupe(batches: Iterable[Batch], seen: Mapping[str, SeenRequest], window_millis: int) -> list[Verdict]:
    """The fate of each batch, in order; `seen` is keyed by request_key. A repeat inside `batches` is a repeat."""
    counted = dict(seen)
    verdicts = []
    for batch in batches:
        verdict = _verdict(batch, counted.get(batch.key), window_millis)
        if verdict.fate == "applied":
            counted[batch.key] = SeenRequest(batch.origin.time_millis, batch.crc)
        verdicts.append(verdict)
    return verdicts


def _verdict(batch: Batch, earlier: SeenRequest | None, window_millis: int) -> Verdict:
    if not batch.accepted:
        return Verdict(batch, "refused", batch.cause)
    if earlier is None or batch.origin.time_millis - earlier.time_millis > window_millis:
        return Verdict(batch, "applied")
    return Verdict(batch, "duplicate", ALREADY_UPDATED if earlier.crc == batch.crc else PAYLOAD_DIFFERS)
