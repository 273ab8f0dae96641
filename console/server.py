"""The life of a console process.

Start: the port is taken first (a second process says so at once), then requests are answered - 503 until the keys and
MongoDB are available. The process starts without them, and waits for them.

Stop, on SIGTERM or SIGINT, in this order:
1. /readyz answers 503 and replies carry `Connection: close`; requests are still taken, until load balancers notice;
2. the port is closed, and requests that are under way are answered, within stop_timeout_seconds;
3. the background tasks end, then MongoDB's connections.
A second signal skips the waiting. The console writes nothing, so a crash leaves nothing behind.
"""

import socket
from dataclasses import dataclass
from functools import partial

import structlog

from console.app import create_app
from console.auth import Authenticator
from console.config import ConsoleConfig
from console.gate import Gate
from console.health import MongoWatch
from console.metrics import Metrics
from console.mongo import MongoStore
from console.reading import Parts
from serving import garbage
from serving.clock import SystemClock
from serving.failures import report
from serving.http import life, protocol
from serving.http.descriptors import connections_within, raise_descriptor_limit
from serving.tokens.check import issuers_tokens

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 75


def run(config: ConsoleConfig) -> int:
    """Serve until stopped by a signal; the process's exit code."""
    return life.run(config.console.host, config.console.port, partial(_serve, config))


@dataclass(frozen=True, slots=True)
class _Process:
    """What is started and stopped."""

    parts: Parts
    watch: MongoWatch
    store: MongoStore
    background_tasks: tuple[life.BackgroundTask, ...]


def _build(config: ConsoleConfig) -> _Process:
    """Put the real parts together. Nothing is connected yet."""
    settings, metrics = config.console, Metrics()
    tokens = issuers_tokens(config.tokens, SystemClock(), metrics.tokens)
    store = MongoStore(config.mongodb, settings)
    parts = Parts(
        settings=settings,
        authenticator=Authenticator(tokens),
        store=store,
        gate=Gate(settings.max_concurrent_queries, settings.query_timeout_seconds),
        metrics=metrics,
    )
    watch = MongoWatch(store)
    return _Process(parts, watch, store, (watch.run, tokens.keep))


async def _serve(config: ConsoleConfig, listener: socket.socket) -> int:
    process = _build(config)
    stop = life.Stop(config.console.drain_seconds)
    app = create_app(process.parts, process.watch, stop)
    most = connections_within(raise_descriptor_limit(), config.console.max_connections)
    connections = process.parts.metrics.connections.bounded(most, None)
    server_config = protocol.server_config(app, connections, KEEP_ALIVE_SECONDS, config.console.stop_timeout_seconds)
    garbage.settle()
    failed = False
    try:
        await life.serve(server_config, listener, stop, process.background_tasks)
    except* Exception as failures:  # noqa: BLE001 reported, whatever it is
        # A background task that ends is a bug: better a new process than one that answers 503 for ever.
        report(failures)
        failed = True
    await process.store.close()
    log.info("stopped", failed=failed)
    return life.EXIT_FAILED if failed else life.EXIT_OK
