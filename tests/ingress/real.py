"""An ingress process on real servers, and what the tests write and read beside it."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import AsyncMongoClient, MongoClient

from schemas.definitions import Definition
from schemas.requirements import topic_config
from schemas.settings import Api, KafkaSettings, Limits
from tests.ingress import serve
from tests.ingress.rig import AUDIENCE, ISSUER, public_keys, token
from tests.patience import PATIENCE_SECONDS
from tests.samples import KEYS

KEY = KEYS.keys[0].decode()


@dataclass(frozen=True)
class Running:
    """An ingress process."""

    url: str
    process: "subprocess.Popen[str]"
    log: Path

    async def post(
        self, session: aiohttp.ClientSession, body: bytes, **headers: str
    ) -> tuple[int, Mapping[str, str], Any]:
        sent = {"authorization": f"Bearer {fresh_token()}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with session.post(f"{self.url}/games/v1/events", data=body, headers=sent) as response:
            return response.status, response.headers, await response.json()

    async def missing(self, session: aiohttp.ClientSession) -> list[str]:
        async with session.get(f"{self.url}/readyz") as response:
            missing: list[str] = (await response.json())["missing"]
            return missing


def fresh_token() -> str:
    return token(exp=int(time.time()) + 3600)


def now_millis() -> int:
    return time.time_ns() // 1_000_000


def analytics_of(name: str) -> str:
    """The other topic, as tests/real.py calls it."""
    return f"{name}-analytics"


def config(folder: Path, kafka: str, mongodb: str, name: str, **ingress: object) -> Path:
    """The configuration file of an ingress whose topic and database have this name."""
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(public_keys().as_dict(private=False)))
    file = folder / "ingress.json"
    file.write_text(
        json.dumps(
            {
                "kafka": {"bootstrap_servers": kafka, "records_topic": name, "analytics_topic": analytics_of(name)},
                "mongodb": {"uri": mongodb, "database": name},
                "limits": {},
                "signing": {"keys": [KEY]},
                "tokens": {"issuer": ISSUER, "audience": AUDIENCE, "jwks": str(keys)},
                "ingress": {"port": 0, "drain_seconds": 0} | ingress,
            }
        )
    )
    return file


@contextmanager
def ingress_process(file: Path, script: str = serve.__file__, *words: str) -> Iterator[Running]:
    """Started, and listening; perhaps not ready yet. Killed at the end if it still runs."""
    log = file.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, script, str(file), *words], stderr=output, text=True)
    try:
        yield Running(f"http://127.0.0.1:{port_of(process, log)}", process, log)
    finally:
        process.kill()
        process.wait()


def port_of(process: "subprocess.Popen[str]", log: Path) -> int:
    """Where a process listens, by its log; also one that has ended since."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    runs = True
    while runs and time.monotonic() < give_up:
        runs = process.poll() is None  # asked before the log is read
        whole_lines = log.read_text().rpartition("\n")[0].splitlines()
        if said := [line for line in whole_lines if '"listening"' in line]:
            return int(json.loads(said[0])["port"])
        time.sleep(0.02)
    raise AssertionError(f"it does not listen:\n{log.read_text()}")


async def until_ready(running: Running, session: aiohttp.ClientSession, seconds: float = PATIENCE_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while await running.missing(session):  # noqa: ASYNC110 another process has no event to wait for
            await asyncio.sleep(0.05)


def stopped(running: Running, seconds: float = PATIENCE_SECONDS) -> int:
    """Ask it to stop; its exit code."""
    running.process.send_signal(signal.SIGTERM)
    return running.process.wait(seconds)


async def make_topic(kafka: str, name: str, **settings: str) -> None:
    """Both topics, of one partition, as `init` makes them, with `settings` on top (`_` for `.`)."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        changed = {setting.replace("_", "."): value for setting, value in settings.items()}
        names: dict[Api, str] = {"games": name, "analytics": analytics_of(name)}
        configs = {one: topic_config(KafkaSettings(), Limits(), api) | changed for api, one in names.items()}
        await admin.create_topics([NewTopic(one, 1, 1, topic_configs=configs[one]) for one in configs])
    finally:
        await admin.close()


def declare(mongodb: str, name: str) -> None:
    """The demo app's definitions, and the topic's lineage r1."""
    with MongoClient[dict[str, Any]](mongodb, tz_aware=True) as client:
        database = client[name]
        event = Definition(
            app="demo",
            definition_id="LEVEL_UP",
            default_language="en",
            names={"en": "Level up"},
            declared_at=datetime(2020, 1, 1, tzinfo=UTC),
        )
        database["definitions"].insert_one(event.document())
        database["lineages"].insert_one({"_id": "r1", "topic": name, "generation": 1})


@asynccontextmanager
async def reading(kafka: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer at the beginning of the topic's one partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, isolation_level="read_committed")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        yield consumer
    finally:
        await consumer.stop()


async def apply(mongodb: str, name: str, offset: int, totals: Mapping[str, int], exception: str | None = None) -> None:
    """What a worker would write for the record at `offset` of partition 0, by hand: the checkpoint last."""
    async with AsyncMongoClient[dict[str, Any]](mongodb) as client:
        database = client[name]
        if exception:
            cause = {"_id": f"r1/00/{offset}", "fate": exception, "cause": "SAME_PAYLOAD"}
            await database["exceptions"].insert_one(cause)
        await database["players"].update_one({"_id": "demo/ann"}, {"$set": {"totals": dict(totals)}}, upsert=True)
        await database["checkpoints"].update_one({"_id": "r1/00"}, {"$set": {"next": offset + 1}}, upsert=True)
