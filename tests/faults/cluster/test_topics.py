"""The log changes under load: partitions are added, records are removed, an election loses what was acknowledged."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.faults.cluster.stage.load import TRY_SECONDS
from tests.faults.cluster.stage.requests import PATHS
from tests.faults.cluster.stage.scene import Cluster, Scene, Tell, issuer_of, on_stage
from tests.faults.cluster.stage.system import PARTITIONS
from tests.kafka.admin import admin_of

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(900)]

MORE_PARTITIONS = 9

NEW_PARTITION_SECONDS = 40.0
"""The group's leader counts the partitions every two seconds; then the group forms anew. The rest is a busy machine."""
LAG_TOLD_SECONDS = 15.0
"""How soon somebody must tell a lag of a partition that is new."""

LINEAGE_TRIES = 5
"""Brokers that have just come back may be slow to answer: then the command refuses, and an operator repeats it."""

FENCED_SECONDS = 15.0
"""A broker that is killed is out of sync when its session with the controller, nine seconds, has ended."""


async def test_partitions_are_added_under_load(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """Records of new partitions are counted soon. Until then the lag shows that they wait."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        await scene.fault()
        async with admin_of(cluster.brokers.bootstrap) as admin:
            await admin.create_partitions({topic: NewPartitions(MORE_PARTITIONS) for topic in scene.system.topics})
        outcome = await scene.end(after=60, settle=400)
        late = []
        if outcome.figures.missing_lag > LAG_TOLD_SECONDS:
            late.append(f"no lag told for {outcome.figures.missing_lag:.0f} s of partitions with records waiting")
        tell(
            f"{MORE_PARTITIONS - PARTITIONS} partitions added to each topic",
            outcome,
            late,
            counts=NEW_PARTITION_SECONDS,
        )


async def ends_of(cluster: Cluster, topic: str) -> dict[int, int]:
    """The next offset of each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.brokers.bootstrap)
    await consumer.start()
    try:
        found = await consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
        return {partition.partition: offset for partition, offset in found.items()}
    finally:
        await consumer.stop()


async def test_records_removed_before_they_were_counted_are_named(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """Retention does this if workers are stopped for too long. Each command reports the loss first."""
    async with on_stage(cluster, tmp_path / "system") as scene:
        await scene.fault()
        for worker in scene.system.workers:
            scene.system.kill(worker)
        await scene.wait(15)
        topic = scene.system.topics[0]
        await remove_all(cluster, topic)
        for worker in scene.system.workers:
            scene.system.start(worker)
        await scene.until_answers(scene.system.workers[0])
        await scene.wait(30)
        outcome = await scene.end(after=5, settle=60)
        removed = {lineage for lineage, name in scene.timeline.topics.items() if name == topic}
        outcome.verdict.excused = all(one.where and one.where[0] in removed for one in outcome.verdict.lost)
        found = await said_of_loss(scene, "lost")
        fault = "records removed before they were counted (workers out for 15 s)"
        # Stopped partitions wait for ever. A restart would not help, so workers are alive.
        tell(fault, outcome, found, acks=15, counts=None, livez=None)


async def remove_all(cluster: Cluster, topic: str) -> None:
    """Of every partition all there is now."""
    ends = await ends_of(cluster, topic)
    async with admin_of(cluster.brokers.bootstrap) as admin:
        await admin.delete_records({TopicPartition(topic, n): RecordsToDelete(end) for n, end in ends.items()})


async def said_of_loss(scene: Scene, word: str) -> list[str]:
    """What each command fails to say of records that are gone."""
    found = []
    for words in ("verify", "doctor", "status"):
        ran = await scene.run(words)
        if ran.status != 1:
            found.append(f"`{words}` ends with {ran.status}, though records are gone: {ran.first_line[:200]}")
        elif word not in ran.first_line.lower() and words != "doctor":
            found.append(f"`{words}` begins with {ran.first_line[:200]!r}")
    return found


async def test_an_unclean_election_is_never_taken_for_counted(cluster: Cluster, tmp_path: Path, tell: Tell) -> None:
    """Kafka assigns the offsets of lost records again. No answer relies on the earlier record."""
    first, second, third = cluster.brokers.members
    async with on_stage(cluster, tmp_path / "system") as scene:
        await allow_unclean(cluster, scene.system.topics)
        scene.note_logs()
        cluster.brokers.kill(third)
        await scene.wait(FENCED_SECONDS)
        await resend_acknowledged(scene)  # duplicates, whose coordinates are about to mean other records
        await scene.wait(3)
        for broker in (first, second):
            cluster.brokers.kill(broker)
        await scene.wait(5)
        cluster.brokers.start_again(third)
        await scene.do(cluster.brokers.wait, [third])
        await scene.wait(5)
        for broker in (first, second):
            cluster.brokers.start_again(broker)
        await scene.do(cluster.brokers.wait, [first, second])
        await scene.until_in_sync()
        scene.mark()
        await scene.wait(40)
        await scene.load.finish(60)
        found = (
            [] if (ran := await scene.run("verify")).status == 1 else [f"verify says {ran.status}: {ran.first_line}"]
        )
        await start_lineages(scene)
        tell("an unclean election (from the return of the brokers)", await scene.end(after=5), found, counts=None)


async def allow_unclean(cluster: Cluster, topics: tuple[str, ...]) -> None:
    wanted = {"unclean.leader.election.enable": "true"}
    async with admin_of(cluster.brokers.bootstrap) as admin:
        for topic in topics:
            config = await described(admin, topic) | wanted
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])


DYNAMIC_TOPIC_CONFIG = 1
"""The source of a setting that was made for the topic (KIP-226)."""


async def described(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    """What was set for this topic: alter_configs replaces all of it."""
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4] if entry[3] == DYNAMIC_TOPIC_CONFIG}


async def resend_acknowledged(scene: Scene) -> None:
    """Each acknowledged batch once more: duplicates, which leave exceptions at their coordinates."""
    token = issuer_of(scene.system.folder)
    url = scene.system.ingresses[0].url + PATHS["games"]
    timeout = aiohttp.ClientTimeout(total=TRY_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=20)) as session:

        async def post(player: str, body: bytes) -> None:
            headers = {"Authorization": f"Bearer {token(player)}", "Content-Type": "application/json"}
            with suppress(aiohttp.ClientError, TimeoutError):  # one more or less
                async with session.post(url, data=body, headers=headers) as reply:
                    await reply.read()

        again = [one for one in scene.load.ledger.acknowledged if one.api == "games"][-150:]
        await asyncio.gather(*(post(one.player, one.body) for one in again))


async def start_lineages(scene: Scene) -> None:
    """As docs/operations.md advises: with all workers stopped, read the log again from its beginning."""
    for worker in scene.system.workers:
        scene.system.kill(worker)
    await scene.wait(FENCED_SECONDS)  # their membership ends
    for topic in scene.system.topics:
        words = ("--from", "beginning", "--topic", topic, "--reason", "unclean election", "--yes")
        for _ in range(LINEAGE_TRIES):
            ran = await scene.run("lineage", "start", *words)
            if ran.status == 0:
                break
        assert 0 == ran.status, json.dumps([ran.out, ran.err])
    await scene.until_in_sync()
    for worker in scene.system.workers:
        scene.system.start(worker)
