"""The life of an ingress process.

Start: the process binds its port first, so that a second process on it fails at once. Then it answers requests, with
503 until Kafka, the keys and the definitions have been read. A server that is unavailable does not end the process.
One that can't keep the promise of exactly-once counting does (startup.py): exit status 1, with all reasons.

Stop, on SIGTERM or SIGINT, in this order:
1. /readyz answers 503 and replies carry `Connection: close`; requests are still accepted, until load balancers react;
2. the port is closed, and accepted requests are answered, within stop_timeout_seconds;
3. the background tasks end;
4. the producers flush what waits (all of it was answered 503, as unknown), and the connections to MongoDB end.
A second signal skips the waits. A crash at any step loses nothing that was answered OK: Kafka has it.
"""

import asyncio
import socket
import sys
from dataclasses import dataclass
from functools import partial

import structlog
import uvicorn

from ingress.app import AppParts, create_app
from ingress.auth.authenticator import Authenticator
from ingress.auth.sessions import Sessions, session_key, token_check
from ingress.clock_probe import ClockProbe, WatchedPublisher
from ingress.clock_watch import ClockWatch
from ingress.config import IngressConfig, IngressSettings
from ingress.delivery.channel import ApiChannel
from ingress.delivery.lineage import Lineage
from ingress.delivery.publish import KafkaPublisher, PublishLimits
from ingress.delivery.read_your_writes import CheckpointWatch
from ingress.dependencies import Dependencies
from ingress.games.definitions import Definitions
from ingress.http.body_budget import BodyBudget
from ingress.http.metrics import Metrics
from ingress.http.rate_limit import AppRates
from ingress.mongo import MongoStore
from ingress.refusals.recorder import RefusalRecorder
from ingress.startup import StartCheck
from schemas.records.signing import signing_keys
from schemas.requirements import max_record_bytes, remembered_seconds
from schemas.settings import Api
from serving import garbage
from serving.clock import Clock, SystemClock
from serving.descriptors import connections_within, raise_descriptor_limit
from serving.failures import report
from serving.http import life, protocol
from serving.http.request import Asgi
from serving.kafka.watch import KafkaWatch
from serving.outage import Outage
from serving.reload.secrets import Reload
from serving.reload.servers import renew_connections
from serving.start import StartRefused
from serving.tokens.bearer import TokenCheck
from serving.tracing import tracing

log = structlog.get_logger()

# How long the producers may take to flush. No client waits for it, but the supervisor does.
FLUSH_SECONDS = 5

# A thread that parses a large body releases the interpreter after this time. At the default of 5 ms each step of the
# event loop would wait so long, and a request takes several steps.
SWITCH_SECONDS = 0.001


def run(config: IngressConfig, reload: Reload | None = None) -> int:
    """Serve until stopped by a signal; the process's exit code. `reload`: renews secrets at SIGHUP."""
    sys.setswitchinterval(SWITCH_SECONDS)
    return life.run(config.ingress.host, config.ingress.port, partial(_serve, config, reload))


@dataclass(frozen=True, slots=True)
class _Servers:
    """What the whole process knows of Kafka and MongoDB: whether they are available, and how their clocks differ."""

    kafka: KafkaWatch
    mongodb: Outage
    clocks: ClockWatch
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Connections:
    """One API's connections, and the channel over them.

    A watch reads in a session of its own, which no two may use at once; so each API has a store of its own.
    """

    publisher: KafkaPublisher
    store: MongoStore
    channel: ApiChannel


@dataclass(frozen=True, slots=True)
class _Process:
    """What is started and stopped."""

    parts: AppParts
    check: StartCheck
    connections: tuple[_Connections, ...]
    background_tasks: tuple[life.BackgroundTask, ...]


def _build(config: IngressConfig) -> _Process:
    """Make the real parts. Nothing is connected yet. Raises StartRefused."""
    settings, metrics, clock = config.ingress, Metrics(), SystemClock()
    key = session_key(config.tokens)
    tokens = token_check(config.tokens, key, clock, metrics)
    clocks = ClockWatch(settings.max_clock_skew_seconds)
    servers = _Servers(KafkaWatch(config.kafka, Outage("kafka")), Outage("mongodb"), clocks, clock)
    metrics.dependencies.watch("kafka", lambda: servers.kafka.outage.is_up)
    metrics.dependencies.watch("mongodb", lambda: servers.mongodb.is_up)
    games, analytics = _connections(config, "games", servers), _connections(config, "analytics", servers)
    store = games.store
    parts = AppParts(
        shared=_dependencies(config, clock, tokens, store, metrics),
        games=games.channel,
        analytics=analytics.channel,
        definitions=Definitions(store, clock),
        store=store,
        kept_seconds=remembered_seconds(config.kafka, config.limits),
        sessions=Sessions(key, config.tokens, settings, metrics),
        clocks=clocks,
    )
    probe = ClockProbe(store, clocks, clock)
    check = StartCheck(config.kafka, config.limits, probe, store)
    tasks = _background_tasks(parts, tokens, (games, analytics))
    return _Process(parts, check, (games, analytics), (check.run, probe.run, *tasks))


def _connections(config: IngressConfig, api: Api, servers: _Servers) -> _Connections:
    settings = config.ingress
    sizes = (settings.max_buffer_bytes, max_record_bytes(config.limits, api))
    limits = PublishLimits(settings.publish_deadline_seconds, *sizes)
    publisher = KafkaPublisher(config.kafka, limits, servers.kafka, api)
    store = MongoStore(config.mongodb, servers.mongodb)
    lineage = Lineage(store, config.kafka.topic(api))
    channel = ApiChannel(
        api,
        WatchedPublisher(publisher, servers.clocks, servers.clock),
        lineage,
        CheckpointWatch(store, servers.clock, lambda: lineage.current),
        AppRates(config.limits),
    )
    return _Connections(publisher, store, channel)


def _dependencies(
    config: IngressConfig, clock: Clock, tokens: TokenCheck, store: MongoStore, metrics: Metrics
) -> Dependencies:
    settings = config.ingress
    return Dependencies(
        limits=config.limits,
        signing=signing_keys(config.signing),
        clock=clock,
        authenticator=Authenticator(tokens, config.tokens.anonymous_apps, metrics.tokens.rejected.note),
        bodies=BodyBudget(settings.max_body_bytes_held, settings.body_timeout_seconds, settings.trusted_proxies),
        refusals=RefusalRecorder(store.refusal_store(), clock, metrics),
        metrics=metrics,
        apply_timeout_seconds=settings.apply_timeout_seconds,
        tracing=tracing("ingress"),
    )


def _background_tasks(
    parts: AppParts, tokens: TokenCheck, connections: tuple[_Connections, ...]
) -> tuple[life.BackgroundTask, ...]:
    """Each runs until cancelled."""
    publishers = [one.publisher.run for one in connections]
    channels = [task for channel in parts.channels for task in (channel.watch.run, channel.lineage.run)]
    return (*publishers, *channels, parts.definitions.run, parts.shared.refusals.run, tokens.keep)


def _renew_secrets(reload: Reload, config: IngressConfig, process: _Process) -> tuple[life.BackgroundTask, ...]:
    """What an ingress renews at SIGHUP."""
    renew_connections(reload, config.kafka, config.mongodb)
    reload.renews("tokens.introspection_client_secret")
    reload.renews("signing.keys", process.parts.shared.signing.renew)
    return (reload.run,)


async def _serve(config: IngressConfig, reload: Reload | None, listener: socket.socket) -> int:
    try:
        process = _build(config)
    except StartRefused as refused:
        log.error("start_refused", reason=str(refused))  # noqa: TRY400 the reason says it; no traceback
        return life.EXIT_FAILED
    renewing = _renew_secrets(reload, config, process) if reload else ()
    stop = life.Stop(config.ingress.drain_seconds)
    app = create_app(process.parts, stop, process.check, config.ingress)
    garbage.settle()
    failed = False
    try:
        server = server_config(config.ingress, app, process.parts.shared.metrics)
        await life.serve(server, listener, stop, (*process.background_tasks, *renewing))
    except* StartRefused as refused:
        for error in refused.exceptions:
            log.error("start_refused", reason=str(error))  # noqa: TRY400 the reason says it; no traceback
        failed = True
    except* Exception as failures:  # noqa: BLE001 whatever it is, it is reported
        # A background task that ends is a bug. A new process is better than one that answers 503 for ever.
        report(failures)
        failed = True
    await asyncio.gather(*(one.publisher.stop(FLUSH_SECONDS) for one in process.connections))
    for one in process.connections:
        await one.store.close()
    if process.parts.shared.tracing is not None:
        await process.parts.shared.tracing.close()
    log.info("stopped", failed=failed)
    return life.EXIT_FAILED if failed else life.EXIT_OK


def server_config(settings: IngressSettings, app: Asgi, metrics: Metrics | None = None) -> uvicorn.Config:
    """A server of `app` with these settings, which counts its connections in `metrics`."""
    most = connections_within(raise_descriptor_limit(), settings.max_connections)
    connections = (metrics or Metrics()).connections.bounded(most, settings.max_connections_per_address)
    return protocol.server_config(app, connections, settings.keep_alive_seconds, settings.stop_timeout_seconds)
