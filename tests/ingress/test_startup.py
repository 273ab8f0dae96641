"""An ingress that can't keep the promise ends with all reasons. While servers are unavailable it waits, not ready.

The messages themselves: tests/schemas/test_requirements.py.
"""

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ingress.ports import Unavailable
from ingress.startup import StartCheck
from schemas.checkpoints import LAYOUT
from schemas.settings import KafkaSettings, Limits
from serving.start import StartRefused
from tests.ingress import serve
from tests.ingress.real import config, declare, ingress_process, make_topic, until_ready
from tests.ingress.rig import Rig
from tests.mongodb.standalone import standalone_mongod
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:1")


class Mongod:
    """Its answer to hello is set by the test."""

    def __init__(self, **hello: object) -> None:
        self._hello = hello

    async def hello(self) -> Mapping[str, Any]:
        if not self._hello:
            raise Unavailable("away, as it was told")
        return self._hello


class Requests:
    """Ids in the layout of an earlier version, or a lineage in that of a newer one, or neither."""

    def __init__(self, earlier: Mapping[str, Any] | None = None, newer: Mapping[str, Any] | None = None) -> None:
        self._earlier = earlier
        self._newer = newer

    async def newer_lineage(self) -> Mapping[str, Any] | None:
        return self._newer

    async def earlier_request(self) -> Mapping[str, Any] | None:
        return self._earlier


async def test_what_is_wrong_with_one_server_is_certain_while_the_other_is_away() -> None:
    """Waiting for Kafka would only hide it."""
    check = StartCheck(NOWHERE, Limits(), Mongod(isWritablePrimary=True), Requests())
    with pytest.raises(StartRefused, match="standalone"):
        await check.check()


@pytest.mark.parametrize("hello", [{}, {"setName": "rs0", "hosts": ["a:1"]}])
async def test_a_server_that_is_away_is_no_refusal(hello: dict[str, object]) -> None:
    """Nor is it a pass."""
    check = StartCheck(NOWHERE, Limits(), Mongod(**hello), Requests())
    with pytest.raises(Unavailable):
        await check.check()
    assert not check.passed


async def test_ids_that_this_version_can_not_read_are_refused() -> None:
    """A request that counted would be told to its player as unknown."""
    mongod = Mongod(setName="rs0", hosts=["a:1"])
    check = StartCheck(NOWHERE, Limits(), mongod, Requests({"_id": "demo/ann/7"}))
    with pytest.raises(StartRefused, match="collection requests has the layout of an earlier version"):
        await check.check()


async def test_a_database_of_a_newer_version_is_refused() -> None:
    mongod = Mongod(setName="rs0", hosts=["a:1"])
    check = StartCheck(NOWHERE, Limits(), mongod, Requests(newer={"_id": "r1", "layout": LAYOUT + 1}))
    with pytest.raises(StartRefused, match="written by `tallymill init` of a newer version"):
        await check.check()


async def test_an_ingress_that_has_not_been_checked_is_not_ready(rig: Rig) -> None:
    """No load balancer should send it anything yet."""
    rig.check.passed = False
    answer = await rig.call("GET", "/readyz")
    assert (503, ["start check"]) == (answer.status, answer.json["missing"])


async def refused(file: Path) -> str:
    """Why an ingress process ended by itself with status 1."""
    with ingress_process(file) as running:
        assert 1 == await asyncio.to_thread(running.process.wait, PATIENCE_SECONDS), running.log.read_text()
    said = [json.loads(line) for line in running.log.read_text().splitlines()]
    (reason,) = (line["reason"] for line in said if line["event"] == "start_refused")
    return str(reason)


async def test_a_topic_and_a_mongod_that_break_the_promise_are_refused_at_once(
    servers: Servers, tmp_path: Path
) -> None:
    """Topics that take no full body and believe clients' clocks, a mongod without transactions: one message."""
    name = f"startup-{uuid.uuid4().hex[:8]}"
    await make_topic(servers.kafka, name, message_timestamp_type="CreateTime", max_message_bytes="1048576")
    with standalone_mongod(tmp_path) as uri:
        reason = await refused(config(tmp_path, servers.kafka, uri, name))
    for words in (
        f"topic {name}: message.timestamp.type is CreateTime, must be LogAppendTime",
        f"topic {name}: max.message.bytes is 1048576, must be 1112960",
        f"topic {name}-analytics: max.message.bytes is 1048576, must be 8404992",
        "mongodb.uri names a standalone server",
    ):
        assert words in reason


async def test_a_key_that_signs_no_session_is_refused_at_once(servers: Servers, tmp_path: Path) -> None:
    """By the setting's name, and before anything is connected."""
    file = config(tmp_path, servers.kafka, servers.mongodb, "nowhere")
    settings = json.loads(file.read_text())
    settings["tokens"] |= {"session_key": str(tmp_path / "none.jwk"), "session_apps": ["demo"]}
    file.write_text(json.dumps(settings))
    process = await asyncio.create_subprocess_exec(sys.executable, serve.__file__, str(file), stderr=subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert (1, True) == (process.returncode, b"tokens.session_key" in said)


async def test_a_topic_that_is_made_after_the_start_is_waited_for(servers: Servers, tmp_path: Path) -> None:
    """As at a first deployment, where init and ingress start side by side. What may lose records is logged, once."""
    name = f"startup-{uuid.uuid4().hex[:8]}"
    declare(servers.mongodb, name)
    async with aiohttp.ClientSession() as session:
        with ingress_process(config(tmp_path, servers.kafka, servers.mongodb, name)) as running:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await running.missing(session) != ["kafka", "kafka analytics", "start check"]:  # noqa: ASYNC110 another process
                    await asyncio.sleep(0.05)
            await make_topic(servers.kafka, name, unclean_leader_election_enable="true")
            await until_ready(running, session)
        said = [json.loads(line) for line in running.log.read_text().splitlines()]
        risks = [(one["topic"], one["risk"]) for one in said if one["event"] == "topic_at_risk"]
        for words in ("unclean.leader.election.enable is true", "1 replica, in a cluster of 1"):
            assert [name, f"{name}-analytics"] == sorted(topic for topic, risk in risks if words in risk)


async def test_a_topic_that_removes_records_before_they_are_counted_is_refused(
    servers: Servers, tmp_path: Path
) -> None:
    """An acknowledgement is worth no more than the topic keeps."""
    name = f"startup-{uuid.uuid4().hex[:8]}"
    await make_topic(servers.kafka, name, retention_ms="3600000", retention_bytes="1048576", cleanup_policy="compact")
    reason = await refused(config(tmp_path, servers.kafka, servers.mongodb, name))
    for words in (
        f"topic {name}: retention.ms is 3600000, must be 604800000",
        f"topic {name}: retention.bytes is 1048576, must be -1",
        f"topic {name}-analytics: retention.bytes is 1048576, must be -1",
        f"topic {name}: cleanup.policy is compact, must be delete",
    ):
        assert words in reason
