"""`lineage` and `lineage start` on real servers."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from ops.connect import kafka_consumer
from ops.init.command import initialise, wrong
from ops.lineage import command
from ops.lineage.command import StartOptions
from ops.lineage.store import NewLineage, StartedMeanwhile, insert_lineage
from ops.topic import identity_of
from ops.verify import command as verify_command
from schemas.documents import CHECKPOINTS, LINEAGES, PLAYERS
from schemas.requirements import topic_config
from tests.consumer.processes import workers
from tests.ops.init.test_init_real import empty_place
from tests.ops.running import Output, applied, told, until, use
from tests.ops.verify.test_verify_real import sent
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place, produce
from tests.servers import Servers

Patch = pytest.MonkeyPatch

# `init` has started a lineage of the other topic, too, of which nothing is read here.
ANALYTICS = {"r2": ["ok", "ok"]}


def start(at: str, reason: str = "because", *, yes: bool = True) -> StartOptions:
    return StartOptions(None, at, reason, yes=yes)


async def shown(capsys: Output, expected: int) -> dict[str, list[str]]:
    """The states of the partitions, by lineage."""
    found = await told(capsys, expected, command.show(as_json=True))
    return {one["_id"]: [partition["state"] for partition in one["partitions"]] for one in found}


async def count(where: Place, folder: Path, **records: int) -> None:
    """Let a worker apply so many records, and stop it in order."""
    with workers(folder, where.settings) as started:
        worker = started.start()
        await until(where, applied(**records))
        worker.send(signal.SIGTERM)
        await worker.exited()


async def make_anew(where: Place, partitions: int = 2) -> None:
    """Another topic under the same name, its settings right."""
    config = topic_config(where.settings.kafka, where.settings.limits)
    name = where.settings.kafka.records_topic
    admin = AIOKafkaAdminClient(bootstrap_servers=where.settings.kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([name])
        give_up = time.monotonic() + PATIENCE_SECONDS
        while (await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])).topic_errors[0][1]:
            assert time.monotonic() < give_up
            await asyncio.sleep(0.2)
    finally:
        await admin.close()


async def test_a_new_lineage_reads_again_what_counts_no_second_time(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """From the beginning: all duplicates, as the ids are still kept; verify agrees over both lineages."""
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        await produce(where.settings, 0, sent(1), sent(2))
        assert {"r1": ["behind", "ok"], **ANALYTICS} == await shown(capsys, 0)
        await count(where, tmp_path, r1_00=2)
        assert {"r1": ["ok", "ok"], **ANALYTICS} == await shown(capsys, 0)
        started = await told(capsys, 0, command.start(start("beginning"), as_json=True))
        assert ("r3", 2, {"0": 0, "1": 0}) == (started["lineage"], started["generation"], started["from"])
        assert "offsets 0 to 1 are read again" in started["warnings"][0]
        await produce(where.settings, 0, sent(3))
        assert {"r1": ["old", "old"], **ANALYTICS, "r3": ["behind", "ok"]} == await shown(capsys, 0)
        await count(where, tmp_path, r3_00=3)
        assert {"demo/ann": {"LEVEL_UP": 3}} == {
            key: found["totals"] for key, found in (await where.documents(PLAYERS)).items()
        }
        assert 2 == (await where.documents(CHECKPOINTS))["r3/00"]["fates"]["duplicate"]
        await told(capsys, 0, verify_command.verify(as_json=True))


async def test_the_beginning_is_refused_where_ids_are_no_longer_kept(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """An older offset too; the end, or the checkpoint, is not."""
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        await produce(where.settings, 0, sent(1), sent(2))
        await count(where, tmp_path, r1_00=2)
        monkeypatch.setattr(command, "known_seconds", lambda *_: 0)
        for at in ("beginning", "0"):
            assert "counted a second time" in await told(capsys, 1, command.start(start(at), as_json=True))
        assert {"r1", "r2"} == (await where.documents(LINEAGES)).keys()
        await told(capsys, 0, command.start(start('{"0": 2, "1": 0}'), as_json=True))
        await told(capsys, 0, command.start(start("end"), as_json=True))
        assert ["r1", "r2", "r3", "r4"] == sorted(await where.documents(LINEAGES))


async def test_what_was_asked_wrongly_is_2_and_starts_nothing(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """No reason, an offset that isn't there, no topic, no yes."""
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        assert "--reason" in await told(capsys, 2, command.start(start("end", "  "), as_json=True))
        assert "not at 5" in await told(capsys, 2, command.start(start("5"), as_json=True))
        nowhere = StartOptions("no-such-topic", "end", "because", yes=True)
        assert "no-such-topic" in await told(capsys, 2, command.start(nowhere, as_json=True))
        monkeypatch.setattr(command, "_confirmed", lambda: False)
        assert "--yes" in await told(capsys, 2, command.start(start("end", yes=False), as_json=True))
        assert {"r1", "r2"} == (await where.documents(LINEAGES)).keys()


async def test_of_two_that_start_at_once_one_does(servers: Servers, tmp_path: Path, monkeypatch: Patch) -> None:
    """The other wrote nothing and reports that. Both had planned the same number."""
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        async with kafka_consumer(where.settings) as consumer:
            topic = await identity_of(consumer, where.settings.kafka.records_topic)
        new = NewLineage(topic, 2, {0: 0, 1: 0}, "because")
        both = await asyncio.gather(*(insert_lineage(where.database, new) for _ in range(2)), return_exceptions=True)
        assert 1 == sum(isinstance(one, StartedMeanwhile) for one in both), both
        assert ["r1", "r2", "r3"] == sorted(await where.documents(LINEAGES))
        assert 6 == len(await where.documents(CHECKPOINTS))


async def test_workers_at_work_have_to_stop_first(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """They would go on in the lineage they know."""
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        with workers(tmp_path, where.settings) as started:
            started.start()
            await until(where, lambda found: any("owner" in one for one in found.values()))
            assert "Stop them first" in await told(capsys, 1, command.start(start("end"), as_json=True))


async def test_a_topic_made_anew_is_refused_by_the_worker_and_started_by_hand(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """Lost until an operator decides. Then its records count, in addition to what counted before."""
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        await produce(where.settings, 0, sent(1))
        await count(where, tmp_path, r1_00=1)
        await make_anew(where)
        await produce(where.settings, 0, sent(2), sent(1))
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            assert 1 == await worker.exited()
            assert "deleted and created again" in worker.said()
        assert {"r1": ["lost", "lost"], **ANALYTICS} == await shown(capsys, 1)
        begun = await told(capsys, 0, command.start(start("beginning", "the topic was deleted"), as_json=True))
        assert "another one has its name. Any records from offset 1 on are lost" in begun["warnings"][0]
        await count(where, tmp_path, r3_00=2)
        lineage: dict[str, Any] = (await where.documents(LINEAGES))["r3"]
        assert (2, "the topic was deleted", 0) == (lineage["generation"], lineage["reason"], lineage["from"])
        assert {"applied": 1, "duplicate": 1, "refused": 0, "dead": 0} == (await where.documents(CHECKPOINTS))["r3/00"][
            "fates"
        ]
        assert {"r1": ["old", "old"], **ANALYTICS, "r3": ["ok", "ok"]} == await shown(capsys, 1)
        assert 2 == len((await told(capsys, 1, verify_command.verify(as_json=True)))["lost"])
        await told(capsys, 0, command.accept_loss("r3", "it was a rehearsal", as_json=True))
        await shown(capsys, 0)
        found = await told(capsys, 0, verify_command.verify(as_json=True))
        assert not found["whole"], "what r1 counted can't be recounted any more"


async def test_the_first_lineage_starts_where_the_log_begins(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """A topic that existed before and has lost records to retention is counted from its first record on."""
    async with empty_place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        name = where.settings.kafka.records_topic
        await initialise(where.settings)
        await where.database[LINEAGES].delete_many({})
        await where.database[CHECKPOINTS].delete_many({})
        await produce(where.settings, 1, sent(1), sent(2), sent(3))
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
        await admin.start()
        await admin.delete_records({TopicPartition(name, 1): RecordsToDelete(before_offset=2)})
        await admin.close()
        assert not wrong(await initialise(where.settings))
        found = {key: (one["start"], one["next"]) for key, one in (await where.documents(CHECKPOINTS)).items()}
        assert {"r1/00": (0, 0), "r1/01": (2, 2), "r2/00": (0, 0), "r2/01": (0, 0)} == found
        await count(where, tmp_path, r1_01=1)
        await told(capsys, 0, verify_command.verify(as_json=True))
