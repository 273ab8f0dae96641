"""The console's redrive on real servers: what a record was, it is again."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from console.ports import Unavailable
from console.redrive import KafkaAway, Letter
from console.redriver import CUT, NO_TOPIC, ServersRedriver
from schemas.documents import DEAD_LETTERS
from schemas.settings import KafkaSettings, MongoSettings
from tests.real import Place, place
from tests.servers import Servers

AT = datetime(2026, 11, 23, tzinfo=UTC)


def letter(identity: str, **more: object) -> dict[str, Any]:
    headers = [["ce_id", b"7"], ["empty", None]]
    return {"_id": identity, "key": b"demo/a", "value": b"\xff", "headers": headers, "reason": "x", "at": AT, **more}


async def records(where: Place) -> list[Any]:
    """All that stands in the topic."""
    kafka = where.settings.kafka
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest") as consumer:
        partition = TopicPartition(kafka.records_topic, 0)
        consumer.assign([partition])
        ends = await consumer.end_offsets([partition])
        found: list[Any] = []
        while len(found) < ends[partition]:
            found.append(await consumer.getone())
        return found


async def test_a_letter_is_produced_again_unchanged_and_marked(servers: Servers) -> None:
    """Those that can't be are named with the reason, and stop nothing. A second time nothing is chosen."""
    async with place(servers, partitions=1) as where:
        cut = {"bytes": 9, "sha256": "0" * 64, "headers": 0}
        letters = [letter("r1/00/3"), letter("r1/00/4", reason="a.b"), letter("r1/00/5", cut=cut), letter("r9/00/1")]
        await where.database[DEAD_LETTERS].insert_many(letters)
        redriver = ServersRedriver(where.settings.kafka, where.settings.mongodb, 5)
        try:
            found = await redriver.choose(["r1/00/3", "r1/00/5", "r9/00/1"], None)
            assert [("r1/00/3", None), ("r1/00/5", CUT), ("r9/00/1", NO_TOPIC)] == sorted(found)
            assert [Letter("r1/00/4", None)] == await redriver.choose(None, "a.b")
            assert (1, "") == await redriver.redrive(["r1/00/3"])
            (record,) = await records(where)
            same = (record.key, record.value, list(record.headers))
            assert (b"demo/a", b"\xff", [("ce_id", b"7"), ("empty", None)]) == same
            assert [] == await redriver.choose(["r1/00/3"], None)
            assert "redriven" in (await where.documents(DEAD_LETTERS))["r1/00/3"]
        finally:
            await redriver.close()


async def test_servers_that_are_away_are_said_to_be() -> None:
    """Within the time-outs of their clients."""
    away = MongoSettings.model_validate({"uri": "mongodb://127.0.0.1:1/?replicaSet=x"})
    redriver = ServersRedriver(KafkaSettings(bootstrap_servers="127.0.0.1:1"), away, 0.2)
    try:
        with pytest.raises(Unavailable):
            await redriver.choose(None, "x")
        with pytest.raises(KafkaAway):
            await redriver.redrive(["r1/00/3"])
        assert (0, "") == await redriver.redrive([])
    finally:
        await redriver.close()
    assert redriver.is_able
    assert not ServersRedriver(KafkaSettings(), away, 0.5).is_able
