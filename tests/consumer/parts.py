"""A worker put together for a test."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from consumer.config import WorkerSettings
from consumer.core.policy import DeadRatio
from consumer.metrics import WorkerMetrics
from consumer.parts import Parts, RecordRules
from consumer.ports import RecordSource, Store, TopicIdentity
from consumer.worker import Worker
from schemas.settings import Limits
from serving.clock import Clock, SystemClock
from tests.patience import PATIENCE_SECONDS
from tests.samples import KEYS

TOPIC = TopicIdentity("cluster", "tallymill.records", "0123")


def parts(source: RecordSource, store: Store, clock: Clock | None = None, **settings: object) -> Parts:
    made = WorkerSettings.model_validate({"linger_seconds": 0, "max_backoff_seconds": 0.05, **settings})
    return Parts(
        source=source,
        store=store,
        clock=clock or SystemClock(),
        metrics=WorkerMetrics(),
        settings=made,
        rules=RecordRules("games", Limits(), KEYS, DeadRatio(made.max_dead_ratio)),
        owner="test",
    )


@asynccontextmanager
async def running(made: Parts) -> AsyncIterator[Worker]:
    """A worker at work; stopped in order at the end."""
    worker = Worker(made)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.wait_for(task, PATIENCE_SECONDS)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for `condition`, by turns of the event loop. Fails after PATIENCE_SECONDS."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "it never came"
        await asyncio.sleep(0.002)
