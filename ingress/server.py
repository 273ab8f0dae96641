"""The life of an ingress process.

Start: the port is taken first (a second process says so at once), then requests are answered - 503 until Kafka, keys
and definitions are there; nothing that is away at the start ends the process. What is there and can't hold the promise
(startup.py) does: exit status 1, with all reasons.

Stop, on SIGTERM or SIGINT, in this order:
1. /readyz says 503 and replies carry `Connection: close`; requests are still taken, for load balancers need a moment;
2. the port is closed, and requests that are under way are answered, within stop_timeout_seconds;
3. the background tasks end;
4. the producer lets Kafka take what waits (all of it was answered 503 already, as unknown), MongoDB's connections end.
A second signal skips the waiting. A crash anywhere loses nothing that was answered OK: Kafka has it.
"""

import asyncio
import gc
import socket
import sys
from dataclasses import dataclass
from functools import partial

import structlog
import uvicorn

from ingress.analytics.record import AnalyticsParts
from ingress.app import AppParts, create_app
from ingress.auth.authenticator import Authenticator
from ingress.auth.sessions import Sessions, session_key
from ingress.auth.tokens import token_check
from ingress.clock_probe import ClockProbe, WatchedPublisher
from ingress.clock_watch import ClockWatch
from ingress.config import IngressConfig, IngressSettings
from ingress.delivery.lineage import Lineage
from ingress.delivery.publish import KafkaPublisher, PublishLimits
from ingress.delivery.read_your_writes import CheckpointWatch
from ingress.delivery.receipts import ReceiptParts
from ingress.games.definitions import Definitions
from ingress.games.lists import ListParts
from ingress.games.record import RecordParts
from ingress.http.body_budget import BodyBudget
from ingress.http.metrics import Metrics
from ingress.http.pipeline import Asgi
from ingress.http.rate_limit import AppRates
from ingress.mongo import MongoStore
from ingress.ports import Publisher
from ingress.refusals.recorder import RefusalRecorder
from ingress.startup import StartCheck
from schemas.records.signing import signing_keys
from schemas.requirements import max_record_bytes, remembered_seconds
from schemas.settings import Api
from serving.clock import SystemClock
from serving.failures import report
from serving.http import life, protocol
from serving.http.descriptors import connections_within, raise_descriptor_limit
from serving.kafka.watch import KafkaWatch
from serving.outage import Outage
from serving.start import StartRefused

log = structlog.get_logger()

# How long the producer may take to hand over what waits. Nobody waits for it any more, only the supervisor.
FLUSH_SECONDS = 5


# A large body makes many objects and no cycles: at the default of 700 the collector looks at them again and again, and
# nothing else runs meanwhile.
GC_THRESHOLD = 50_000
# A thread that reads a large body hands the interpreter over after this time. At the default of 5 ms each step of the
# event loop waits so long for it, and a request takes several.
SWITCH_SECONDS = 0.001


def run(config: IngressConfig) -> int:
    """Serve until stopped by a signal; the process's exit code."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])
    sys.setswitchinterval(SWITCH_SECONDS)
    return life.run(config.ingress.host, config.ingress.port, partial(_serve, config))


@dataclass(frozen=True, slots=True)
class _Process:
    """What is started and stopped."""

    parts: AppParts
    check: StartCheck
    publishers: tuple[KafkaPublisher, ...]
    stores: tuple[MongoStore, ...]
    keepers: tuple[life.Keeper, ...]


def _build(config: IngressConfig) -> _Process:
    """Put the real parts together. Nothing is connected yet. Raises StartRefused."""
    settings, metrics, clock = config.ingress, Metrics(), SystemClock()
    sessions = session_key(config.tokens)
    tokens = token_check(config.tokens, sessions, clock, metrics)
    kafka = KafkaWatch(config.kafka, Outage("kafka"))
    mongodb, clocks = Outage("mongodb"), ClockWatch(settings.max_clock_skew_seconds)
    store, publisher = MongoStore(config.mongodb, mongodb), _publisher(config, "games", kafka)
    lineage = Lineage(store, config.kafka.records_topic)
    record = RecordParts(
        limits=config.limits,
        signing=signing_keys(config.signing),
        clock=clock,
        authenticator=Authenticator(tokens),
        rates=AppRates(config.limits),
        definitions=Definitions(store, clock),
        publisher=WatchedPublisher(publisher, clocks, clock),
        lineage=lineage,
        applied=CheckpointWatch(store, clock, lambda: lineage.current),
        refusals=RefusalRecorder(store.refusal_store(), clock, metrics),
        metrics=metrics,
        bodies=BodyBudget(settings.max_body_bytes_held, settings.body_timeout_seconds, settings.trusted_proxies),
        apply_timeout_seconds=settings.apply_timeout_seconds,
    )
    # A watch reads in a session of its own, which no two may use at once: hence a store of its own.
    analytics_store = MongoStore(config.mongodb, mongodb)
    analytics_publisher = _publisher(config, "analytics", kafka)
    analytics = _analytics(config, record, WatchedPublisher(analytics_publisher, clocks, clock), analytics_store)
    kept_seconds = remembered_seconds(config.kafka, config.limits)
    parts = AppParts(
        record=record,
        analytics=analytics,
        sessions=Sessions(sessions, config.tokens, settings, clock, metrics),
        receipts=ReceiptParts(record.signing, clock, record.authenticator, store, kept_seconds),
        lists=ListParts(record.signing, clock, record.authenticator, record.definitions, store, settings.public_url),
        clocks=clocks,
    )
    probe = ClockProbe(store, clocks, clock)
    check = StartCheck(config.kafka, config.limits, probe)
    publishers = (publisher, analytics_publisher)
    keepers = (check.run, probe.run, *(one.run for one in publishers), *_keepers(record, analytics), tokens.keep)
    return _Process(parts, check, publishers, (store, analytics_store), keepers)


def _keepers(record: RecordParts, analytics: AnalyticsParts) -> tuple[life.Keeper, ...]:
    """What keeps itself current, of both APIs."""
    return (
        record.applied.run,
        analytics.applied.run,
        record.definitions.keep,
        record.lineage.keep,
        analytics.lineage.keep,
        record.refusals.run,
    )


def _publisher(config: IngressConfig, api: Api, watch: KafkaWatch) -> KafkaPublisher:
    settings = config.ingress
    sizes = (settings.max_buffer_bytes, max_record_bytes(config.limits, api))
    return KafkaPublisher(config.kafka, PublishLimits(settings.publish_deadline_seconds, *sizes), watch, api)


def _analytics(config: IngressConfig, record: RecordParts, publisher: Publisher, store: MongoStore) -> AnalyticsParts:
    """What AddEvent shares with events.record, and what is its own."""
    lineage = Lineage(store, config.kafka.analytics_topic)
    return AnalyticsParts(
        limits=config.limits,
        signing=record.signing,
        clock=record.clock,
        authenticator=record.authenticator,
        anonymous_apps=config.tokens.anonymous_apps,
        rates=AppRates(config.limits),
        publisher=publisher,
        lineage=lineage,
        applied=CheckpointWatch(store, record.clock, lambda: lineage.current),
        refusals=record.refusals,
        metrics=record.metrics,
        bodies=record.bodies,
        apply_timeout_seconds=record.apply_timeout_seconds,
    )


async def _serve(config: IngressConfig, listener: socket.socket) -> int:
    try:
        process = _build(config)
    except StartRefused as refused:
        log.error("refused", reasons=[str(refused)])  # noqa: TRY400 told in its own words
        return life.EXIT_FAILED
    stop = life.Stop(config.ingress.drain_seconds)
    app = create_app(process.parts, stop, process.check, config.ingress)
    failed = False
    try:
        await life.serve(
            server_config(config.ingress, app, process.parts.record.metrics), listener, stop, process.keepers
        )
    except* StartRefused as refused:
        log.error("refused", reasons=[str(one) for one in refused.exceptions])  # noqa: TRY400 told in its own words
        failed = True
    except* Exception as failures:  # noqa: BLE001 told as what it is
        # A background task that ends is a bug: better a new process than one that answers 503 for ever.
        report(failures)
        failed = True
    await asyncio.gather(*(publisher.stop(FLUSH_SECONDS) for publisher in process.publishers))
    for store in process.stores:
        await store.close()
    log.info("stopped", failed=failed)
    return life.EXIT_FAILED if failed else life.EXIT_OK


def server_config(settings: IngressSettings, app: Asgi, metrics: Metrics | None = None) -> uvicorn.Config:
    """A server of `app` with these settings; `metrics` are told of its connections."""
    most = connections_within(raise_descriptor_limit(), settings.max_connections)
    connections = (metrics or Metrics()).connections.bounded(most, settings.max_connections_per_address)
    return protocol.server_config(app, connections, settings.keep_alive_seconds, settings.stop_timeout_seconds)
