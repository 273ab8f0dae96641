"""Laws: any split of the same records, any redelivery and any restart point leave the same documents."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.backlog import Backlog
from consumer.core.games.plan import make_plan
from consumer.core.reads import Known
from consumer.core.records import Record
from consumer.memory import MemoryStore
from consumer.ports import Moved
from schemas import request_ids
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, PERIOD_COUNTS, PLAYERS, REQUESTS
from schemas.settings import Limits
from tests.consumer.flushes import apply_flush
from tests.samples import DAY, KEYS, MINUTE, NOW, batch, period, sealed, update
from tests.stored_ids import stored_ids

PARTITION = PartitionId("r1", 0)
LIMITS = Limits()


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """A partition's records: few ids and players, so that they repeat; times over two windows; gaps; rubbish."""
    records, offset = [], 0
    for _ in range(draw(st.integers(1, 12))):
        offset += draw(st.integers(0, 2))
        records.append(draw(one_record(offset)))
        offset += 1
    return records


@st.composite
def one_record(draw: st.DrawFn, offset: int) -> Record:
    time = NOW + draw(st.integers(0, 16)) * DAY
    if draw(st.integers(0, 9)) == 0:
        return Record(offset, time, draw(st.sampled_from([None, b"demo/ann"])), b"rubbish", [])
    request_id = draw(st.integers(1, 3))
    event, count = draw(st.sampled_from(["A", "B"])), draw(st.integers(1, 3))
    start = NOW - draw(st.integers(1, 90)) * MINUTE
    body = batch(period(update(event, str(count)), start=start, end=start + MINUTE), request_id=str(request_id))
    player = draw(st.sampled_from(["ann", "bob"]))
    return sealed(offset, body, request_id=request_id, player=player, time_millis=time)


async def apply(store: MemoryStore, records: Sequence[Record], start: int) -> int:
    """One flush of these records from `start` on, as a flusher does it. Returns the offset of the checkpoint."""
    backlog = Backlog(10_000, 10**9, KEYS)
    backlog.offer([record for record in records if record.offset >= start])
    backlog.decode_some(10_000)
    flush = backlog.take(PARTITION, start)
    if flush is None:
        return start
    try:
        return (await apply_flush(store, flush)).checkpoint.end
    except Moved as moved:
        return moved.checkpoint.next_offset


async def run_whole(records: Sequence[Record]) -> dict[str, Any]:
    store = MemoryStore()
    await apply(store, records, (await store.claim(PARTITION, "whole")).next_offset)
    return store.collections


async def run_split(records: Sequence[Record], cuts: Sequence[int]) -> dict[str, Any]:
    """Flushes of any sizes. Each worker starts from the checkpoint, or from an outdated copy of it."""
    store = MemoryStore()
    for cut in [*cuts, len(records)]:
        position = (await store.claim(PARTITION, "split")).next_offset
        await apply(store, records[:cut], position)
        await apply(store, records[: cut + 1], position)
    await apply(store, records, (await store.claim(PARTITION, "split")).next_offset)
    return store.collections


def comparable(collections: dict[str, Any]) -> dict[str, Any]:
    """Everything but who owned the partition last, and which ids share a document."""
    checkpoints = {key: {**found, "owner": None} for key, found in collections[CHECKPOINTS].items()}
    return {**collections, CHECKPOINTS: checkpoints, REQUESTS: stored_ids(collections[REQUESTS].values())}


@given(logs(), st.lists(st.integers(0, 12), max_size=6))
def test_any_split_and_any_restart_leave_the_same_documents(records: list[Record], cuts: list[int]) -> None:
    """Also when each flush is tried again from where it started: only the checkpoint decides."""
    whole = asyncio.run(run_whole(records))
    split = asyncio.run(run_split(records, cuts))
    assert comparable(whole) == comparable(split)


@given(logs(), st.lists(st.integers(0, 12), max_size=6), st.sampled_from([lambda _: 7, len]), st.integers(1, 3))
def test_neither_hashes_nor_the_sizes_of_documents_change_what_counts(
    records: list[Record], cuts: list[int], hash_function: Callable[[str], int], most: int
) -> None:
    """Ids of one hash are told apart; ids are found in whatever document they are."""
    whole = asyncio.run(run_whole(records))
    with patch.object(request_ids, "hash_of", hash_function), patch.object(request_ids, "MAX_IDS", most):
        split = asyncio.run(run_split(records, cuts))
    assert comparable(whole) == comparable(split)


@given(logs())
def test_every_id_that_is_stored_comes_with_a_write_to_its_player(records: list[Record]) -> None:
    """Two partitions that bring one id at once conflict on its player's document: no other write is common to both."""
    backlog = Backlog(10_000, 10**9, KEYS)
    backlog.offer(records)
    backlog.decode_some(10_000)
    flush = backlog.take(PARTITION, 0)
    assert flush
    plan = make_plan(flush, Known(), LIMITS)
    assert plan.players.keys() == {key.rpartition("/")[0] for key in plan.requests}
    assert all(increment.totals and all(increment.totals.values()) for increment in plan.players.values())


@given(logs())
def test_the_five_numbers_add_up_and_sums_agree(records: list[Record]) -> None:
    """Fates and gaps make the offset; players and buckets hold the same counts."""
    collections = asyncio.run(run_whole(records))
    (checkpoint,) = collections[CHECKPOINTS].values()
    assert checkpoint["next"] == sum(checkpoint["fates"].values()) + checkpoint["gaps"]
    by_player = sum(sum(player["totals"].values()) for player in collections[PLAYERS].values())
    by_bucket = sum(hour["count"] for hour in collections[PERIOD_COUNTS].values())
    by_minute = sum(sum(hour["minutes"].values()) for hour in collections[PERIOD_COUNTS].values())
    assert by_player == by_bucket == by_minute


async def run_two_owners(records: Sequence[Record], turns: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Two owners of one partition, each with its own idea of where it is, flushing in turns as they please."""
    store = MemoryStore()
    positions = [(await store.claim(PARTITION, str(owner))).next_offset for owner in range(2)]
    for owner, most in turns:
        ahead = [record for record in records if record.offset >= positions[owner]][:most]
        positions[owner] = await apply(store, ahead, positions[owner])
    await apply(store, records, (await store.claim(PARTITION, "last")).next_offset)
    return store.collections


@given(logs(), st.lists(st.tuples(st.integers(0, 1), st.integers(1, 5)), max_size=10))
def test_any_interleaving_of_two_owners_leaves_the_same_documents(
    records: list[Record], turns: list[tuple[int, int]]
) -> None:
    """An owner that comes too late writes nothing."""
    whole = asyncio.run(run_whole(records))
    raced = asyncio.run(run_two_owners(records, turns))
    assert comparable(whole) == comparable(raced)


def naive_totals(records: Sequence[Record]) -> dict[tuple[str, str], int]:
    """The counts by the definition alone, with no code of the worker: the first of each id within the window."""
    last_counted: dict[tuple[str, str], int] = {}
    totals: dict[tuple[str, str], int] = {}
    for record in records:
        if record.value == b"rubbish":
            continue
        body, owner = json.loads(record.value), (record.key or b"").decode()
        key = (owner, body["requestId"])
        if key in last_counted and record.timestamp_millis - last_counted[key] <= LIMITS.dedupe_window_seconds * 1000:
            continue
        last_counted[key] = record.timestamp_millis
        for sent in body["timePeriods"]:
            for entry in sent["updates"]:
                event = (owner, entry["definitionId"])
                totals[event] = totals.get(event, 0) + int(entry["updateCount"])
    return totals


@given(logs())
def test_totals_are_those_of_the_definition(records: list[Record]) -> None:
    """Recounted without the worker's code."""
    collections = asyncio.run(run_whole(records))
    found = {
        (owner, event): count
        for owner, player in collections[PLAYERS].items()
        for event, count in player["totals"].items()
    }
    assert naive_totals(records) == found
