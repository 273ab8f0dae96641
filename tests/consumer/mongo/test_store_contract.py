"""One contract, two stores: the one in memory and MongoDB keep the same promises."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from consumer.core.backlog import Backlog
from consumer.core.decode import decode_analytics
from consumer.core.flush import Flush
from consumer.core.gap import Gap
from consumer.core.position import Checkpoint, fingerprint
from consumer.core.records import Record
from consumer.memory import MemoryStore
from consumer.mongo.store import MongoStore
from consumer.ports import Moved, Store
from schemas import request_ids
from schemas.coordinates import PartitionId
from schemas.definitions import Definition
from schemas.documents import (
    CHECKPOINTS,
    DEAD_LETTERS,
    DEFINITIONS,
    EVENTS,
    EXCEPTIONS,
    PERIOD_COUNTS,
    PLAYERS,
    REQUESTS,
    TITLES,
    utc,
)
from schemas.settings import Limits
from tests.consumer.flushes import apply_flush
from tests.consumer.mongo.conftest import Database
from tests.samples import DAY, KEYS, NOW, batch, item, period, pool, sealed, sealed_pool, update
from tests.stored_ids import StoredId, stored_ids

LIMITS = Limits()
OURS = PartitionId("r1", 0)
PER_PLAYER = {"max_titles_per_player": 5}
DEFINITION = Definition(
    app="demo", definition_id="LEVEL_UP", default_language="en", names={"en": "x"}, declared_at=utc(NOW - DAY)
)


def flush_of(records: Sequence[Record], start: int = 0, partition: int = 0) -> Flush:
    backlog = Backlog(10_000, 10**9, KEYS)
    backlog.offer(records)
    backlog.decode_some(10_000)
    flush = backlog.take(PartitionId("r1", partition), start)
    assert flush
    return flush


def one(offset: int, request_id: int | None = None, player: str = "ann", time: int = NOW) -> Record:
    wanted = offset + 1 if request_id is None else request_id
    body = batch(period(update(count="2")), request_id=str(wanted))
    return sealed(offset, body, request_id=wanted, player=player, time_millis=time)


async def apply(store: Store, *records: Record, start: int = 0, partition: int = 0) -> None:
    flush = flush_of(records, start, partition)
    await apply_flush(store, flush)


async def apply_pools(store: Store, *records: Record, start: int = 0, partition: int = 0, **limits: int) -> None:
    backlog = Backlog(10_000, 10**9, KEYS, decode_analytics)
    backlog.offer(records)
    backlog.decode_some(10_000)
    flush = backlog.take(PartitionId("r1", partition), start)
    assert flush
    await apply_flush(store, flush, Limits.model_validate(limits), "analytics")


class StoreContract(ABC):
    """Each subclass provides a store with DEFINITION declared, and a way to read its documents."""

    store: Store
    other: Store
    """Another owner's, on the same documents."""

    @abstractmethod
    async def documents(self, collection: str) -> dict[str, Any]:
        """All documents of a collection by `_id`."""

    async def stored_ids(self) -> dict[str, StoredId]:
        return stored_ids((await self.documents(REQUESTS)).values())

    async def checkpoint(self, partition: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = (await self.documents(CHECKPOINTS))[f"r1/{partition:02}"]
        return found

    async def test_a_partition_never_seen_starts_at_its_beginning(self) -> None:
        """And claiming it again changes nothing but the owner."""
        assert await self.store.claim(PartitionId("r1", 0), "one") == Checkpoint(0)
        await apply(self.store, one(0), one(1))
        claimed = await self.store.claim(PartitionId("r1", 0), "two")
        assert claimed == Checkpoint(2, fingerprint(one(1)))
        found = await self.checkpoint()
        assert (found["owner"], found["start"], found["next"], found["gaps"]) == ("two", 0, 2, 0)
        assert found["fates"] == {"applied": 2, "duplicate": 0, "refused": 0, "dead": 0}

    async def test_a_claim_clears_why_the_partition_had_stopped(self) -> None:
        await self.store.claim(OURS, "one")
        await self.store.note_stopped(OURS, "the log was cut")
        assert "the log was cut" == (await self.checkpoint())["stopped"]
        await self.other.claim(OURS, "two")
        assert "stopped" not in await self.checkpoint()

    async def test_everything_of_a_flush_stands_after_it(self) -> None:
        """Totals, buckets, ids, exceptions, dead letters, checkpoint."""
        await self.store.claim(PartitionId("r1", 0), "me")
        raw = Record(4, NOW, b"demo/cid", batch(period(update("NOPE")), request_id="1"), [])
        dead = Record(6, NOW, None, b"\xff\x00", [("h", b"v")])
        await apply(self.store, one(0), one(1, player="bob"), one(2, request_id=1), raw, dead)
        players = await self.documents(PLAYERS)
        assert {key: player["totals"] for key, player in players.items()} == {
            "demo/ann": {"LEVEL_UP": 2},
            "demo/bob": {"LEVEL_UP": 2},
        }
        assert players["demo/ann"]["updatedAt"] == utc(NOW)
        (hour,) = (await self.documents(PERIOD_COUNTS)).values()
        assert (hour["count"], sum(hour["minutes"].values()), hour["event"], hour["source"]) == (
            4,
            4,
            "LEVEL_UP",
            "games",
        )
        assert {key: stored.place for key, stored in (await self.stored_ids()).items()} == {
            "demo/ann/1": "r1/00/0",
            "demo/bob/2": "r1/00/1",
        }
        exceptions = {key: (e["fate"], e["cause"]) for key, e in (await self.documents(EXCEPTIONS)).items()}
        assert exceptions == {
            "r1/00/2": ("duplicate", "ALREADY_UPDATED"),
            "r1/00/4": ("refused", "NOT_FOUND"),
            "r1/00/6": ("dead", "no app and player: key"),
        }
        (letter,) = (await self.documents(DEAD_LETTERS)).values()
        assert (letter["value"], letter["headers"]) == (b"\xff\x00", [["h", b"v"]])
        found = await self.checkpoint()
        assert (found["next"], found["gaps"], found["last"]["offset"]) == (7, 2, 6)
        assert found["fates"] == {"applied": 2, "duplicate": 1, "refused": 1, "dead": 1}

    async def test_a_gap_moves_the_checkpoint_and_nothing_else(self) -> None:
        """What was applied last stays known; another owner's gap, or the same one again, moves nothing."""
        await self.store.claim(OURS, "me")
        await apply(self.store, one(0), one(1))
        before = await self.checkpoint()
        await self.store.pass_over(Gap(OURS, 2, 5))
        found = await self.checkpoint()
        assert (found["next"], found["gaps"], found["fates"], found["last"]) == (5, 3, before["fates"], before["last"])
        for gap in (Gap(OURS, 2, 5), Gap(OURS, 4, 6)):
            with pytest.raises(Moved) as moved:
                await self.other.pass_over(gap)
            assert moved.value.checkpoint == Checkpoint(5, fingerprint(one(1)))
        await apply(self.store, one(5), start=5)
        assert (await self.checkpoint())["next"] == 6

    async def test_a_second_flush_adds_to_the_first(self) -> None:
        """And an id counted in the first is a duplicate in the second, from another partition too."""
        for partition in (0, 1):
            await self.store.claim(PartitionId("r1", partition), "me")
        await apply(self.store, one(0))
        await apply(self.store, one(1), one(2, request_id=1), start=1)
        await apply(self.store, one(0), partition=1)
        assert (await self.documents(PLAYERS))["demo/ann"]["totals"] == {"LEVEL_UP": 4}
        assert (await self.checkpoint())["fates"]["duplicate"] == 1
        assert (await self.checkpoint(1))["fates"] == {"applied": 0, "duplicate": 1, "refused": 0, "dead": 0}

    async def test_a_flush_from_elsewhere_than_the_checkpoint_writes_nothing(self) -> None:
        """The caller gets the checkpoint."""
        await self.store.claim(PartitionId("r1", 0), "me")
        await apply(self.store, one(0), one(1))
        before = {name: await self.documents(name) for name in (PLAYERS, REQUESTS, PERIOD_COUNTS, EXCEPTIONS)}
        for start in (0, 1, 5):
            with pytest.raises(Moved) as caught:
                await apply(self.store, one(8), one(9), start=start)
            assert caught.value.checkpoint == Checkpoint(2, fingerprint(one(1)))
        assert before == {name: await self.documents(name) for name in before}
        assert (await self.checkpoint())["next"] == 2

    async def test_of_two_owners_of_one_partition_one_wins(self) -> None:
        """Each record counts once. The loser gets the checkpoint."""
        await self.store.claim(PartitionId("r1", 0), "me")
        await self.other.claim(PartitionId("r1", 0), "you")
        racing = (apply(store, one(0), one(1)) for store in (self.store, self.other))
        both = await asyncio.gather(*racing, return_exceptions=True)
        assert [type(result) for result in both if result is not None] == [Moved]
        assert (await self.documents(PLAYERS))["demo/ann"]["totals"] == {"LEVEL_UP": 4}

    async def test_one_id_in_two_partitions_at_once_counts_once(self) -> None:
        """A client that retries through another key, or a pipeline that keys otherwise."""
        for partition in (0, 1):
            await self.store.claim(PartitionId("r1", partition), "me")
        await asyncio.gather(*(apply(self.store, one(0), one(1), partition=partition) for partition in (0, 1)))
        assert (await self.documents(PLAYERS))["demo/ann"]["totals"] == {"LEVEL_UP": 4}
        fates = [(await self.checkpoint(partition))["fates"] for partition in (0, 1)]
        assert sorted(f["applied"] for f in fates) == [0, 2]
        assert sorted(f["duplicate"] for f in fates) == [0, 2]

    async def test_ids_with_one_hash_are_each_counted_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In one flush, in the next, in another partition, and in documents of two ids each."""
        monkeypatch.setattr(request_ids, "hash_of", lambda _: 7)
        monkeypatch.setattr(request_ids, "MAX_IDS", 2)
        for partition in (0, 1):
            await self.store.claim(PartitionId("r1", partition), "me")
        await apply(self.store, *(one(n) for n in range(5)), one(5, request_id=1), one(6, player="bob"))
        await apply(self.store, one(7, request_id=2), one(8), start=7)
        await apply(self.store, one(0, request_id=3), one(1, request_id=20), partition=1)
        counted = {(player, n) for player, ids in (("ann", (1, 2, 3, 4, 5, 9, 20)), ("bob", (7,))) for n in ids}
        assert {f"demo/{player}/{n}" for player, n in counted} == (await self.stored_ids()).keys()
        assert {0: 2, 1: 1} == {p: (await self.checkpoint(p))["fates"]["duplicate"] for p in (0, 1)}
        assert {"demo/ann": 14, "demo/bob": 2} == {
            key: player["totals"]["LEVEL_UP"] for key, player in (await self.documents(PLAYERS)).items()
        }

    async def test_a_flush_of_duplicates_stores_no_ids(self) -> None:
        """No document, and nothing changed in the one that holds them."""
        await self.store.claim(OURS, "me")
        await apply(self.store, *(one(n) for n in range(3)))
        before = await self.documents(REQUESTS)
        await apply(self.store, *(one(n + 3, request_id=n + 1) for n in range(3)), start=3)
        assert before == await self.documents(REQUESTS)
        assert ["r1/00/0"] == [*before]

    async def test_an_id_older_than_the_window_counts_again(self) -> None:
        """It is remembered anew: its next repeat is a duplicate, though the older time is stored too."""
        await self.store.claim(PartitionId("r1", 0), "me")
        later = NOW + LIMITS.dedupe_window_seconds * 1000 + 1
        await apply(self.store, one(0))
        await apply(self.store, one(1, request_id=1, time=later), start=1)
        assert (await self.stored_ids())["demo/ann/1"].at == utc(later)
        await apply(self.store, one(2, request_id=1, time=later), start=2)
        assert (await self.documents(PLAYERS))["demo/ann"]["totals"] == {"LEVEL_UP": 4}

    async def test_a_raw_record_is_judged_by_the_declared_definitions(self) -> None:
        """Read in the same transaction."""
        await self.store.claim(PartitionId("r1", 0), "me")
        await apply(self.store, Record(0, NOW, b"demo/ann", batch(period(update(), update("NOPE"))), []))
        assert (await self.documents(PLAYERS))["demo/ann"]["totals"] == {"LEVEL_UP": 1}

    async def test_items_of_pools_stand_once_and_in_their_order(self) -> None:
        """Known in the next flush and in another partition; the data read back as it was sent."""
        for partition in (0, 1):
            await self.store.claim(PartitionId("r1", partition), "me")
        sent = [{"b": 1, "a": {"z": 2.5, "y": None}}, {"c": "\0"}]
        first = {**item("View"), "Data": sent}
        await apply_pools(self.store, sealed_pool(0, pool(first, item("B"))))
        await apply_pools(self.store, sealed_pool(1, pool(first, item("C"))), start=1)
        await apply_pools(self.store, sealed_pool(0, pool(first)), partition=1)
        events = await self.documents(EVENTS)
        assert sorted(event["event"] for event in events.values()) == ["B", "C", "View"]
        stored = next(event["data"] for event in events.values() if event["event"] == "View")
        assert json.dumps(stored) == json.dumps(sent)
        assert (await self.checkpoint())["fates"]["applied"] == 2
        assert (await self.checkpoint(1))["fates"]["duplicate"] == 1
        hours = (await self.documents(PERIOD_COUNTS)).values()
        assert {(hour["event"], hour["source"], hour["count"]) for hour in hours} == {
            (title, "analytics", 1) for title in ("View", "B", "C")
        }

    async def test_one_item_in_two_partitions_at_once_is_stored_once(self) -> None:
        """A pool sent again while the first is still being applied."""
        for partition in (0, 1):
            await self.store.claim(PartitionId("r1", partition), "me")
        record = sealed_pool(0, pool(*(item("A", n=n) for n in range(5))))
        await asyncio.gather(*(apply_pools(self.store, record, partition=partition) for partition in (0, 1)))
        fates = [(await self.checkpoint(partition))["fates"] for partition in (0, 1)]
        assert sorted(f["applied"] for f in fates) == sorted(f["duplicate"] for f in fates) == [0, 1]
        assert sum(hour["count"] for hour in (await self.documents(PERIOD_COUNTS)).values()) == 5
        assert len(await self.documents(EVENTS)) == 5

    async def test_titles_registered_at_once_in_two_partitions_stay_within_their_number(self) -> None:
        """The app's count is where they meet."""
        for partition in (0, 1):
            await self.store.claim(PartitionId("r1", partition), "me")
        pools = [sealed_pool(0, pool(*(item(f"{partition}-{n}") for n in range(3)))) for partition in (0, 1)]
        await asyncio.gather(*(apply_pools(self.store, pools[p], partition=p, max_titles=4) for p in (0, 1)))
        titles = await self.documents(TITLES)
        assert titles.pop("demo") == {"_id": "demo", "count": 4, "anonymous": 0}
        assert len(titles) == 4
        others = [h["count"] for h in (await self.documents(PERIOD_COUNTS)).values() if h["event"] == "(other)"]
        assert sum(others) == 2

    async def test_anonymous_titles_of_two_partitions_stay_within_their_share(self) -> None:
        """And don't affect the players' titles, whichever commits first."""
        for partition in (0, 1):
            await self.store.claim(PartitionId("r1", partition), "me")
        junk = [sealed_pool(0, pool(*(item(f"{p}-{n}") for n in range(50))), player=f"~{p}") for p in (0, 1)]
        await asyncio.gather(*(apply_pools(self.store, junk[p], partition=p, max_anonymous_titles=7) for p in (0, 1)))
        assert {"_id": "demo", "count": 0, "anonymous": 7} == (await self.documents(TITLES))["demo"]
        await apply_pools(self.store, sealed_pool(1, pool(item("View"))), start=1, max_titles=1)
        assert {"_id": "demo", "count": 1, "anonymous": 7} == (await self.documents(TITLES))["demo"]
        assert {"_id": "demo/View", "from": "r1/00/1", "by": "demo/ann"} == (await self.documents(TITLES))["demo/View"]

    async def test_one_player_registers_so_many_titles_in_all(self) -> None:
        """In this flush and the next, and in two partitions at once."""
        for partition in (0, 1):
            await self.store.claim(PartitionId("r1", partition), "me")
        for offset in (0, 1):
            pools = [sealed_pool(offset, pool(*(item(f"{offset}-{p}-{n}") for n in range(3)))) for p in (0, 1)]
            flushes = (apply_pools(self.store, pools[p], start=offset, partition=p, **PER_PLAYER) for p in (0, 1))
            await asyncio.gather(*flushes)
        await apply_pools(self.store, sealed_pool(2, pool(item("B")), player="bob"), start=2, **PER_PLAYER)
        titles = await self.documents(TITLES)
        assert {"_id": "demo", "count": 6, "anonymous": 0} == titles.pop("demo")
        assert ["demo/ann"] * 5 + ["demo/bob"] == sorted(one["by"] for one in titles.values())

    async def test_a_title_is_promoted_once_by_two_partitions_at_once(self) -> None:
        """Its app's numbers say so."""
        for partition in (0, 1):
            await self.store.claim(PartitionId("r1", partition), "me")
        await apply_pools(self.store, sealed_pool(0, pool(item("View")), player="~x"))
        senders = [("ann", 0, 1), ("bob", 1, 0)]
        await asyncio.gather(
            *(
                apply_pools(self.store, sealed_pool(start, pool(item("View")), player=player), start=start, partition=p)
                for player, p, start in senders
            )
        )
        titles = await self.documents(TITLES)
        assert {"_id": "demo", "count": 1, "anonymous": 0} == titles["demo"]
        by, promoted = titles["demo/View"]["by"], titles["demo/View"]["promoted"]
        assert (by, promoted) in {("demo/ann", "r1/00/1"), ("demo/bob", "r1/01/0")}

    async def test_another_event_under_a_used_id_is_told_in_a_later_flush(self) -> None:
        """By the digest beside the document."""
        await self.store.claim(PartitionId("r1", 0), "me")
        for offset, title in enumerate(["A", "B", "A"]):
            await apply_pools(self.store, sealed_pool(offset, pool(item(title)), request_id="r"), start=offset)
        found = {key: (one["cause"], one.get("differing")) for key, one in (await self.documents(EXCEPTIONS)).items()}
        assert {"r1/00/1": ("PAYLOAD_DIFFERS", [0]), "r1/00/2": ("ALREADY_UPDATED", None)} == found


class TestMemoryStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _store(self) -> None:
        self.memory = self.store = self.other = MemoryStore([DEFINITION])

    async def documents(self, collection: str) -> dict[str, Any]:
        return self.memory.collections[collection]


class TestMongoStore(StoreContract):
    @pytest.fixture(autouse=True)
    async def _store(self, database: Database) -> None:
        self.steps: list[str] = []
        self.database = database.client[database.name]
        await self.database[DEFINITIONS].insert_one(DEFINITION.document())
        self.store = MongoStore(database.client, database.name, lambda step, _: self.steps.append(step))
        self.other = MongoStore(database.client, database.name, lambda _, __: None)

    async def documents(self, collection: str) -> dict[str, Any]:
        return {document["_id"]: document async for document in self.database[collection].find()}

    async def test_the_steps_of_a_flush_come_in_their_order(self) -> None:
        """As docs/delivery.md and consumer/mongo/store.py number them."""
        await self.store.claim(PartitionId("r1", 0), "me")
        await apply(self.store, one(0))
        assert self.steps == ["read", "plan", "checkpoint", "write", "commit"]

    async def test_counts_are_int64(self) -> None:
        """An int32 would turn into a double, or overflow, in other clients."""
        await self.store.claim(PartitionId("r1", 0), "me")
        await apply(self.store, one(0))
        typed = self.database[PLAYERS].find({"totals.LEVEL_UP": {"$type": "long"}})
        assert [player["_id"] async for player in typed] == ["demo/ann"]
        assert await self.database[PERIOD_COUNTS].count_documents({"count": {"$type": "long"}}) == 1

    async def test_a9_hostile_data_reads_back_equal(self) -> None:
        """Keys in the form of operators, paths and references are data."""
        hostile = {
            "$where": 1,
            "a.b": {"$set": 2},
            "": 3,
            "_id": 4,
            "$ref": "x",
            "$id": "y",
            "nul": "a\0b",
            "i": 2**63 - 1,
        }
        await self.store.claim(PartitionId("r1", 0), "me")
        await apply_pools(self.store, sealed_pool(0, pool({**item(), "Data": {"one": hostile}, "$extra": hostile})))
        raw = self.database.get_collection(EVENTS, CodecOptions(document_class=RawBSONDocument))
        found = await raw.find_one({})
        assert found
        assert hostile == _plain(found["data"]["one"]) == _plain(found["extra"]["$extra"])


def _plain(value: object) -> object:
    """What a raw document holds, without making references of it."""
    return {key: _plain(inner) for key, inner in value.items()} if isinstance(value, RawBSONDocument) else value
