"""The life of a worker process: put the parts together, run, stop on SIGTERM, out at once on the second."""

import asyncio
import gc
import os
import signal
import socket
import time

import structlog
import uvloop
from pymongo import AsyncMongoClient

from consumer.config import WorkerConfig
from consumer.core.policy import DeadRatio
from consumer.flusher import Parts
from consumer.http import serve
from consumer.kafka import KafkaLog
from consumer.metrics import WorkerMetrics
from consumer.mongo import MongoStore
from consumer.ports import TooManyDead, UnknownLineage
from consumer.startup import StartRefused, check_start
from consumer.transactions import Document
from consumer.worker import Worker
from schemas.signing import signing_keys

log = structlog.get_logger()

# A server that is away answers within this, so that a flush can be tried again and a stop is noticed.
SERVER_SELECTION_MILLIS = 5_000

# A flush makes tens of thousands of objects and no cycles: at the default of 700 the collector looks at them, and at
# all that waits, again and again.
GC_THRESHOLD = 100_000

EXIT_OK = 0
EXIT_REFUSED = 1
EXIT_SECOND_SIGNAL = 130


class SystemClock:
    """The real Clock."""

    def now_millis(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(config: WorkerConfig) -> int:
    """Run one worker until it is told to stop. Returns the exit code."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])
    return uvloop.run(_run(config))


async def _run(config: WorkerConfig) -> int:
    metrics = WorkerMetrics()
    uri = config.mongodb.uri.get_secret_value() if config.mongodb.uri else None
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        uri, tz_aware=True, serverSelectionTimeoutMS=SERVER_SELECTION_MILLIS, appname="tallymill-worker"
    )
    parts = Parts(
        log=KafkaLog(config.kafka, config.worker),
        store=MongoStore(client, config.mongodb.database, metrics.step),
        clock=SystemClock(),
        metrics=metrics,
        settings=config.worker,
        limits=config.limits,
        keys=signing_keys(config.signing),
        owner=f"{socket.gethostname()}:{os.getpid()}",
        dead_ratio=DeadRatio(config.worker.max_dead_ratio),
    )
    worker = Worker(parts)
    stopping = asyncio.Event()
    _on_signals(worker, stopping)
    http = await serve(
        config.worker.metrics_host,
        config.worker.metrics_port,
        metrics.registry,
        alive=worker.alive,
        ready=worker.ready,
    )
    try:
        await check_start(config, client, stopping)
        await worker.run()
    except (StartRefused, UnknownLineage, TooManyDead) as error:
        log.error("refused", reason=str(error))  # noqa: TRY400 a refusal is told in its own words, without a trace
        return EXIT_REFUSED
    finally:
        await parts.log.stop()  # also where the worker never ran
        await http.cleanup()
        await client.close()
    log.info("stopped")
    return EXIT_OK


def _on_signals(worker: Worker, stopping: asyncio.Event) -> None:
    """First SIGTERM or SIGINT: stop in order. Second: out at once; what that leaves, a crash leaves too."""

    def stop() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, os._exit, EXIT_SECOND_SIGNAL)
        log.info("stopping")
        stopping.set()
        worker.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
