"""A whole path for tests of the ingress: a topic, a database, a real worker on them, and an ingress's settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.definitions import Definition
from schemas.documents import DEFINITIONS, utc
from tests.consumer.test_process import free_port, worker_process
from tests.ingress.real import config, now_millis
from tests.ingress.rig import batch, period, update
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.servers import Servers


@dataclass(frozen=True)
class Stage:
    """What was started, and the configuration file that an ingress process is started with."""

    where: Place
    ingress: Path


@asynccontextmanager
async def stage(servers: Servers, folder: Path) -> AsyncIterator[Stage]:
    """One partition; the worker is killed at the end."""
    async with place(servers, partitions=1) as where:
        event = Definition(
            app="demo", definition_id="LEVEL_UP", default_language="en", names={"en": "x"}, declared_at=utc(0)
        )
        await where.database[DEFINITIONS].insert_one(event.document())
        name = where.settings.kafka.records_topic
        file = config(folder, servers.kafka, servers.mongodb, name, apply_timeout_seconds=PATIENCE_SECONDS)
        async with worker_process(where.settings, free_port()):
            yield Stage(where, file)


def fresh_batch(count: int, request_id: str = "7") -> bytes:
    """One update of a minute that has just ended."""
    now = now_millis()
    return batch(period(update(count=count), start=now - 60_000, end=now), request_id=request_id, sent_millis=now)
