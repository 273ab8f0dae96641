"""The life of a worker process: start, run, stop in order on SIGTERM, exit at once on a second one."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

import structlog
from pymongo import AsyncMongoClient

from consumer.config import WorkerConfig
from consumer.core.policy import DeadRatio
from consumer.http import serve
from consumer.kafka.reader import KafkaSource
from consumer.metrics import WorkerMetrics
from consumer.mongo.store import MongoStore
from consumer.mongo.transactions import Document
from consumer.parts import Parts, RecordRules
from consumer.ports import UnknownLineage
from consumer.retry import Outages, new_outages
from consumer.startup import check_start
from consumer.tracing import flush_spans
from consumer.unread import watch_unread
from consumer.worker import Worker
from schemas.records.signing import signing_keys
from serving import garbage
from serving.clock import SystemClock
from serving.http import life
from serving.kafka.watch import KafkaWatch
from serving.mongodb.watch import MongoWatch
from serving.reload.secrets import Reload
from serving.reload.servers import renew_connections
from serving.start import StartRefused
from serving.tracing import Tracing, tracing

log = structlog.get_logger()

EXIT_SECOND_SIGNAL = 130


def run(config: WorkerConfig, reload: Reload | None = None) -> int:
    """Run one worker until SIGTERM or SIGINT. Returns the exit code. `reload`: renews secrets at SIGHUP."""
    return life.run(config.worker.metrics_host, config.worker.metrics_port, partial(_run, config, reload))


async def _run(config: WorkerConfig, reload: Reload | None, listener: socket.socket) -> int:
    metrics = WorkerMetrics(config.worker.apis)
    outages = new_outages()
    metrics.dependencies.watch("kafka", lambda: outages["kafka"].is_up)
    metrics.dependencies.watch("mongodb", lambda: outages["mongodb"].is_up)
    watch = MongoWatch(outages["mongodb"], "worker")
    client = watch.connect(config.mongodb, "tallymill worker")
    spans = tracing("worker")
    parts = _parts(config, client, metrics, watch, outages, spans)
    renewing = _renew_secrets(reload, config, parts) if reload else contextlib.nullcontext()
    workers = [Worker(one) for one in parts]
    garbage.settle()
    failed = False
    stopping = asyncio.Event()
    _on_signals(workers, stopping)
    http = await serve(
        listener,
        metrics,
        alive=lambda: all(worker.alive() for worker in workers),
        # Each thing once, of all workers of the process.
        missing=lambda: list({one.what: one for worker in workers for one in worker.missing()}.values()),
    )
    try:
        async with renewing:
            await check_start(config, client, stopping, outages)
            async with watch_unread(config, client, metrics), asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker.run())
    except* (StartRefused, UnknownLineage) as refused:
        for error in refused.exceptions:
            log.error("start_refused", reason=str(error))  # noqa: TRY400 the reason says it; no traceback
        failed = True
    finally:
        for one in parts:
            await one.source.stop()  # also where its worker never ran
        await http.cleanup()
        await client.close()
        if spans is not None:
            await spans.close()
    log.info("stopped", failed=failed)
    return life.EXIT_FAILED if failed else life.EXIT_OK


def _parts(
    config: WorkerConfig,
    client: AsyncMongoClient[Document],
    metrics: WorkerMetrics,
    watch: MongoWatch,
    outages: Outages,
    spans: Tracing | None,
) -> list[Parts]:
    """Of one worker a topic: they share the process, its connections, its metrics and its outages, and nothing else."""
    kafka = KafkaWatch(config.kafka, outages["kafka"])
    keys = signing_keys(config.signing)
    return [
        Parts(
            source=KafkaSource(config.kafka, config.worker, api, config.limits, kafka),
            store=MongoStore(client, config.mongodb.database, partial(metrics.step, api), watch),
            clock=SystemClock(),
            metrics=metrics,
            settings=config.worker,
            rules=RecordRules(api, config.limits, keys, DeadRatio(config.worker.max_dead_ratio)),
            owner=f"{socket.gethostname()}:{os.getpid()}",
            outages=outages,
            spans=flush_spans(spans, config.kafka.topic(api), config.kafka.group_of(api)),
        )
        for api in config.worker.apis
    ]


def _renew_secrets(reload: Reload, config: WorkerConfig, parts: Sequence[Parts]) -> AbstractAsyncContextManager[None]:
    """What a worker renews at SIGHUP."""
    renew_connections(reload, config.kafka, config.mongodb)
    reload.renews("signing.keys", parts[0].rules.keys.renew)
    return reload.running()


def _on_signals(workers: Sequence[Worker], stopping: asyncio.Event) -> None:
    """First SIGTERM or SIGINT: stop in order. Second: exit at once, which is as safe as a crash."""

    def stop(name: str) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, os._exit, EXIT_SECOND_SIGNAL)
        log.info("stopping", signal=name)
        stopping.set()
        for worker in workers:
            worker.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)
