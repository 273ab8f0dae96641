"""What an operator does, with both topics: verify, dead letters, lineage, the balance, the doctor; on real servers."""

from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from consumer.core.records import Record
from ops.dead_letters import command as dead_letters
from ops.dead_letters.command import RedriveOptions
from ops.doctor.command import examine
from ops.lineage import command as lineage
from ops.lineage.command import StartOptions
from ops.local.status.balance import _ask
from ops.verify import command
from schemas.documents import EVENTS, PERIOD_COUNTS, TITLES
from serving.dead_letters.store import Chosen
from tests.consumer.processes import workers
from tests.consumer.sums import PERIODS_HOUR, fresh_pool
from tests.consumer.test_two_topics import send
from tests.ops.running import Output, applied, raw, told, until, use
from tests.ops.verify.test_verify_real import sent
from tests.real import Place, place, produce
from tests.samples import item
from tests.servers import Servers


def pools() -> list[Record]:
    """In turns to both partitions: new, again with more, again, refused, unreadable."""
    a, b, c = item("A", at_millis=0), item("B", PERIODS_HOUR), item("C", PERIODS_HOUR, n=1)
    a["Timestamp"] = "4315435114"
    return [
        fresh_pool(a, b),
        fresh_pool(c, item("A", PERIODS_HOUR, n=2)),
        fresh_pool(a, b, c),
        fresh_pool(c),
        fresh_pool(a, b),
        fresh_pool({"Event": "A"}),
        raw(b"{"),
        fresh_pool(item("B", PERIODS_HOUR, n=3), requestId="r"),
    ]


async def change_by_hand(where: Place) -> tuple[str, str]:
    """A document removed and one added, a count changed, a title removed. The first two by `_id`."""
    db = where.database
    removed = await db[EVENTS].find_one_and_delete({"event": "C"})
    kept = await db[EVENTS].find_one({"from": "r2/01/3"})
    assert removed
    assert kept
    added = {**kept, "_id": "demo/ann/" + "0" * 32}
    await db[EVENTS].insert_one(added)
    hour = await db[PERIOD_COUNTS].find_one({"source": "analytics", "event": "B"})
    assert hour
    (minute, *_) = hour["minutes"]
    await db[PERIOD_COUNTS].update_one({"_id": hour["_id"]}, {"$inc": {f"minutes.{minute}": 1, "count": 1}})
    await db[TITLES].delete_one({"_id": "demo/C"})
    return removed["_id"], added["_id"]


async def test_an_operator_sees_and_mends_both_topics(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """No difference. Letters go back to their topic. Changes by hand, and records missing in the log, are reported."""
    async with place(servers, apis=["games", "analytics"]) as where:
        use(where.settings, tmp_path, monkeypatch)
        kafka = where.settings.kafka
        await produce(where.settings, 0, sent(1), raw(b"\xff"))
        await send(servers, kafka.analytics_topic, *pools())
        with workers(tmp_path, where.settings) as started:
            started.start()
            await until(where, applied(r1_00=2, r2_00=4, r2_01=4))
            start = StartOptions(kafka.analytics_topic, "end", "because", yes=True)
            assert f"group {kafka.group}.analytics" in await told(capsys, 1, lineage.start(start, as_json=True))
            await redrive(where, capsys)
        shown = await told(capsys, 0, lineage.show(as_json=True))
        assert [(kafka.records_topic, 2), (kafka.analytics_topic, 2)] == [
            (one["topic"], len(one["partitions"])) for one in shown
        ]
        balance = (await _ask(where.settings))[0]
        assert {kafka.records_topic: 2, kafka.analytics_topic: 9} == {k: one.accepted for k, one in balance.items()}
        assert all(one.holds for one in balance.values())
        assert "ok" == next(check.state for check in await examine(where.settings) if check.what == "events")
        await verify_both(where, servers, capsys)


async def redrive(where: Place, capsys: Output) -> None:
    """The letter of the analytics topic alone, which is unreadable still."""
    listed = await told(capsys, 0, dead_letters.show_list(Chosen(), as_json=True))
    topics = {one["id"]: one["topic"] for one in listed}
    (letter,) = [key for key, topic in topics.items() if topic == where.settings.kafka.analytics_topic]
    assert 2 == len(topics)
    shown = await told(capsys, 0, dead_letters.show_one(letter, as_json=True))
    assert (topics[letter], "{") == (shown["topic"], shown["value"])
    wanted = RedriveOptions(Chosen(identities=(letter,), again=False), dry_run=False, rate=None)
    assert 1 == (await told(capsys, 0, dead_letters.redrive_some(wanted, as_json=True)))["redriven"]
    await until(where, lambda found: 2 == sum(one["fates"]["dead"] for k, one in found.items() if k.startswith("r2/")))


async def verify_both(where: Place, servers: Servers, capsys: Output) -> None:
    async def verified(expected: int) -> Any:  # noqa: ANN401 a report
        return await told(capsys, expected, command.verify(as_json=True))

    found = await verified(0)
    assert (0, True) == (found["differences"], found["whole"])
    ranges = {one["partition"]: one for one in found["ranges"]}
    assert (2, 9) == tuple(sum(r["records"] for k, r in ranges.items() if k.startswith(n)) for n in ("r1", "r2"))
    assert 5 == sum(one["items"] or 0 for one in ranges.values())
    await delete_records(where, servers)
    gone = await verified(0)
    assert (False, 0) == (gone["whole"], gone["unsure"])
    removed, added = await change_by_hand(where)
    shown = {(one["what"], one["where"]) for one in (await verified(1))["shown"]}
    assert {("events", removed), ("events", added), ("titles", "demo, count")} <= shown


async def delete_records(where: Place, servers: Servers) -> None:
    """The first record of the analytics topic's first partition, as retention would."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    gone = TopicPartition(where.settings.kafka.analytics_topic, 0)
    await admin.delete_records({gone: RecordsToDelete(before_offset=1)})
    await admin.close()
