"""What is applied instead of a flush that can't be applied, and when a worker gives up."""

import msgspec
import pytest

from consumer.core.analytics.decode import Pool
from consumer.core.backlog import Backlog
from consumer.core.dead import Unreadable
from consumer.core.flush import Flush
from consumer.core.games.plan import make_plan
from consumer.core.policy import (
    DEAD_ALLOWANCE,
    CannotApply,
    DeadRatio,
    instead_of_refused,
    instead_of_too_large,
    is_stuck,
    rest_seconds,
    suspects_of,
)
from consumer.core.reads import Known
from consumer.core.records import Origin, Record
from schemas.analytics.media import NO_MEDIA
from schemas.analytics.stored import MAX_STORED_BYTES
from schemas.coordinates import PartitionId
from schemas.records.signing import SigningKeys
from schemas.settings import Limits
from tests.samples import KEYS, NOW, batch, period, sealed, update


def flush_of(offsets: list[int], start: int = 0) -> Flush:
    backlog = Backlog(100, 10**9, KEYS)
    backlog.offer([one(offset) for offset in offsets])
    backlog.decode_some(100)
    flush = backlog.take(PartitionId("r1", 0), start)
    assert flush
    return flush


def one(offset: int) -> Record:
    return sealed(offset, batch(period(update()), request_id=str(offset + 1)), request_id=offset + 1)


def test_halves_hold_the_same_records_and_offsets() -> None:
    """Gaps included: fates and gaps of both add up to those of the whole."""
    whole = flush_of([2, 3, 7, 8, 9], start=1)
    first, second = whole.halves()
    assert [r.offset for half in (first, second) for r in half.records] == [2, 3, 7, 8, 9]
    assert (first.start, first.end, second.start, second.end) == (1, 4, 4, 10)
    moves = [make_plan(flush, Known(), Limits()).checkpoint for flush in (whole, first, second)]
    assert moves[0].gaps == moves[1].gaps + moves[2].gaps
    assert moves[0].fates["applied"] == moves[1].fates["applied"] + moves[2].fates["applied"]


def test_a_refused_flush_is_halved_until_the_record_is_found_and_set_aside() -> None:
    """The others are applied; a record that can't even be set aside stops its partition."""
    todo, tried = [flush_of([0, 1, 2, 3, 4])], []
    while todo:
        flush = todo.pop(0)
        if any(r.offset == 3 for r in flush.records) and not isinstance(flush.decoded[0], Unreadable):
            todo = [*instead_of_refused(flush, "BSON can't hold it"), *todo]
        else:
            tried.append(([r.offset for r in flush.records], isinstance(flush.decoded[0], Unreadable)))
    assert tried == [([0, 1], False), ([2], False), ([3], True), ([4], False)]
    dead = flush_of([3]).as_dead("BSON can't hold it")
    assert make_plan(dead, Known(), Limits()).dead_letters[0]["reason"] == "BSON can't hold it"
    with pytest.raises(CannotApply, match="set aside"):
        instead_of_refused(dead, "still")


def test_a_flush_too_large_is_halved_and_one_record_never_becomes_a_dead_letter() -> None:
    """It isn't the record's fault."""
    assert [len(half.records) for half in instead_of_too_large(flush_of([0, 1, 2]), "388")] == [1, 2]
    with pytest.raises(CannotApply, match="too large"):
        instead_of_too_large(flush_of([0]), "388")


def test_too_many_suspects_are_not_admitted() -> None:
    """Wrong settings must not eat a topic; a little garbage, however dense, must not stop one."""
    ratio = DeadRatio(0.1)
    assert ratio.admits(DEAD_ALLOWANCE, DEAD_ALLOWANCE)
    assert not ratio.admits(DEAD_ALLOWANCE + 1, DEAD_ALLOWANCE + 1)
    ratio.applied(50, 1_000)
    assert ratio.admits(51, 61)
    assert not ratio.admits(60, 70)
    assert ratio.admits(60, 150)


def test_a_flush_without_suspects_is_always_admitted() -> None:
    """However many there were: other partitions of the worker go on."""
    ratio = DeadRatio(0.1, suspects=10_000, records=10_000)
    assert ratio.admits(0, 1)
    assert not ratio.admits(1, 1)


def test_a_suspect_is_a_dead_record_that_no_ingress_has_signed() -> None:
    """Null or forged headers are no signature. A record that is not dead is no suspect."""
    signed, value = one(0), b"garbage"
    forged = [("judged", b"{}." + b"0" * 64), ("ce_id", None), ("", None)]
    records = [signed, Record(1, 0, None, value, forged), Record(2, 0, None, value, []), one(3)]  # type: ignore[arg-type]
    decoded = [*(Unreadable(record, "garbage") for record in records[:3]), flush_of([3]).decoded[0]]
    flush = Flush(PartitionId("r1", 0), 0, records, decoded)
    assert suspects_of(flush, KEYS) == 2
    assert suspects_of(flush, SigningKeys((b"another key of sixteen bytes",))) == 3


def test_stuck_is_behind_without_progress_and_without_an_outage() -> None:
    """A worker that waits for Kafka or MongoDB need not be restarted."""
    assert is_stuck(5, 61, 60, is_retrying=False)
    assert not is_stuck(0, 61, 60, is_retrying=False)
    assert not is_stuck(5, 60, 60, is_retrying=False)
    assert not is_stuck(5, 61, 60, is_retrying=True)


@pytest.mark.parametrize("stored_bytes", [0, MAX_STORED_BYTES])
def test_a_pool_that_a_transaction_takes_is_tried_again_as_it_is(stored_bytes: int) -> None:
    """Others have filled the server's cache: its partition must not stop for that."""
    pool = Pool(Origin(0, NOW, NOW, "demo", "ann"), None, NO_MEDIA, {}, "", stored_bytes=stored_bytes)
    flush = Flush(PartitionId("r1", 0), 0, [one(0)], [pool])
    assert instead_of_too_large(flush, "388") == (flush,)
    larger = Flush(
        PartitionId("r1", 0), 0, [one(0)], [msgspec.structs.replace(pool, stored_bytes=MAX_STORED_BYTES + 1)]
    )
    with pytest.raises(CannotApply, match="too large"):
        instead_of_too_large(larger, "388")


@pytest.mark.parametrize(
    ("ready_weight", "flush_seconds", "rest"),
    [(9, 0.06, 0.0), (10, 0.0, 0.0), (10, 0.02, 0.01), (249, 0.06, 0.03), (250, 0.06, 0.0), (10, 5.0, 0.05)],
)
def test_a_partition_rests_half_of_a_flush_while_few_are_ready(
    ready_weight: int, flush_seconds: float, rest: float
) -> None:
    assert rest_seconds(ready_weight, flush_seconds) == pytest.approx(rest)
