"""The life of a console process.

Start: the process opens its port first, so that a port in use is an error at once. It then answers requests, with 503
until keys and MongoDB are available. It needs neither to start.

Stop, on SIGTERM or SIGINT, in this order:
1. /readyz answers 503, and replies carry `Connection: close`. Requests are still accepted, for drain_seconds, until
   load balancers notice.
2. The port is closed. Accepted requests are answered, within stop_timeout_seconds.
3. The background tasks end, then the connections to MongoDB and Kafka.
A second signal skips the waits. The console writes nothing, so a crash leaves nothing behind.
"""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog

from console.access.callers import Callers
from console.access.setup import signing_of
from console.access.sign_in import Signing, sign_in_routes
from console.app import Sides, create_app
from console.config import ConsoleConfig
from console.gate import Gate
from console.health import MongoWatch
from console.metrics import Metrics
from console.mongo import MongoStore
from console.observer.kafka import KafkaReader
from console.observer.loop import Observer
from console.observer.mongodb import MongoReader
from console.observer.topics import Topic
from console.reading import Parts
from console.redriver import ServersRedriver
from schemas.settings import APIS
from serving import garbage
from serving.clock import SystemClock
from serving.descriptors import connections_within, raise_descriptor_limit
from serving.failures import report
from serving.http import life, protocol
from serving.reload.secrets import Reload
from serving.reload.servers import renew_connections
from serving.tokens.authenticator import Authenticator
from serving.tokens.check import issuers_tokens

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 75


def run(config: ConsoleConfig, reload: Reload | None = None) -> int:
    """Serves until a signal stops the process. Returns its exit code. `reload`: renews secrets at SIGHUP."""
    return life.run(config.console.host, config.console.port, partial(_serve, config, reload))


Closing = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Process:
    """The parts of a process."""

    parts: Parts
    watch: MongoWatch
    sides: Sides
    signing: Signing | None
    closing: tuple[Closing, ...]
    background_tasks: tuple[life.BackgroundTask, ...]


def _build(config: ConsoleConfig, port: int) -> _Process:
    """Makes the real parts. Nothing is connected yet."""
    settings, metrics = config.console, Metrics()
    tokens = issuers_tokens(config.tokens, SystemClock(), metrics.tokens)
    store = MongoStore(config.mongodb, settings)
    signing = signing_of(config, port, SystemClock(), metrics.tokens)
    callers = Callers(Authenticator(tokens, metrics.tokens.rejected.note), signing.sessions if signing else None)
    parts = Parts(
        settings=settings,
        callers=callers,
        store=store,
        gate=Gate(settings.max_concurrent_queries, settings.query_timeout_seconds),
        metrics=metrics,
    )
    watch = MongoWatch(store)
    metrics.dependencies.watch("mongodb", lambda: watch.reachable)
    redriver = ServersRedriver(config.kafka, config.mongodb, settings.query_timeout_seconds)
    of_mongodb = MongoReader(config.mongodb, SystemClock())
    of_kafka = KafkaReader(config.kafka, APIS) if config.kafka.bootstrap_servers else None
    if of_kafka:
        metrics.dependencies.watch("kafka", lambda: of_kafka.is_up)
    topics = [Topic(api, config.kafka.topic(api), config.kafka.retention_seconds) for api in APIS]
    observer = Observer(topics, SystemClock(), of_mongodb, of_kafka)
    sides = Sides(observer, sign_in_routes(callers, signing), redriver)
    closing = (store.close, redriver.close, of_mongodb.close, *([of_kafka.close] if of_kafka else []))
    return _Process(parts, watch, sides, signing, closing, (watch.run, tokens.keep, observer.run))


def _renew_secrets(reload: Reload, config: ConsoleConfig, process: _Process) -> tuple[life.BackgroundTask, ...]:
    """What a console renews at SIGHUP."""
    renew_connections(reload, config.kafka, config.mongodb)
    for name in ("tokens.introspection_client_secret", "oidc.client_secret"):
        reload.renews(name)
    if process.signing:
        reload.renews("console.session_keys", process.signing.renew)
    return (reload.run,)


async def _serve(config: ConsoleConfig, reload: Reload | None, listener: socket.socket) -> int:
    process = _build(config, listener.getsockname()[1])
    renewing = _renew_secrets(reload, config, process) if reload else ()
    stop = life.Stop(config.console.drain_seconds)
    app = create_app(process.parts, process.watch, stop, process.sides)
    most = connections_within(raise_descriptor_limit(), config.console.max_connections)
    connections = process.parts.metrics.connections.bounded(most, None)
    server_config = protocol.server_config(app, connections, KEEP_ALIVE_SECONDS, config.console.stop_timeout_seconds)
    garbage.settle()
    failed = False
    try:
        await life.serve(server_config, listener, stop, (*process.background_tasks, *renewing))
    except* Exception as failures:  # noqa: BLE001 any failure of a background task is reported
        # A background task that fails is a bug. A process without its tasks would answer 503 for ever, so it ends, and
        # its supervisor starts a new one.
        report(failures)
        failed = True
    for close in process.closing:
        await close()
    log.info("stopped", failed=failed)
    return life.EXIT_FAILED if failed else life.EXIT_OK
