"""The life of a console process.

Start: the port is taken first (a second process says so at once), then requests are answered - 503 until the keys and
MongoDB are there; nothing that is away at the start ends the process.

Stop, on SIGTERM or SIGINT, in this order:
1. /readyz says 503 and replies carry `Connection: close`; requests are still taken, for load balancers need a moment;
2. the port is closed, and requests that are under way are answered, within stop_timeout_seconds;
3. the background tasks end, then MongoDB's connections.
A second signal skips the waiting. Nothing here writes anything, so a crash anywhere leaves nothing.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
import uvicorn
import uvloop

from console.app import create_app
from console.auth import Authenticator
from console.config import ConsoleConfig, ConsoleSettings
from console.edge import Edge
from console.gate import Gate
from console.health import MongoWatch
from console.keys import keep_keys
from console.metrics import Metrics
from console.mongo import MongoStore
from console.reading import Parts

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 75

Keeper = Callable[[], Coroutine[Any, Any, None]]

EXIT_OK = 0
EXIT_FAILED = 1


def run(config: ConsoleConfig) -> int:
    """Serve until stopped by a signal; the process's exit code."""
    host, port = config.console.host, config.console.port
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        log.error("port_not_taken", host=host, port=port, error=str(error))  # noqa: TRY400 the reason is the message
        return EXIT_FAILED
    with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config, listener))


class Stop:
    """A stop in its stages: not asked for, draining, exiting, at once."""

    def __init__(self, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds
        self.draining = False

    def asked(self, server: uvicorn.Server, signal_name: str) -> None:
        """A signal came. The second one is not patient."""
        if self.draining:
            server.force_exit = server.should_exit = True
            return
        log.info("stopping", signal=signal_name)
        self.draining = True
        asyncio.get_running_loop().call_later(self._drain_seconds, _exit, server)


def _exit(server: uvicorn.Server) -> None:
    server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn, with our signals: its own would close the port before anyone can see /readyz turn."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class _Process:
    """What is started and stopped."""

    parts: Parts
    watch: MongoWatch
    store: MongoStore
    keepers: tuple[Keeper, ...]


def _build(config: ConsoleConfig) -> _Process:
    """Put the real parts together. Nothing is connected yet."""
    settings, tokens = config.console, config.tokens
    store = MongoStore(config.mongodb, settings)
    parts = Parts(
        settings=settings,
        authenticator=Authenticator(tokens.issuer, tokens.audience),
        store=store,
        gate=Gate(settings.max_concurrent_queries, settings.query_timeout_seconds),
        metrics=Metrics(),
    )
    watch = MongoWatch(store)
    use_keys = parts.authenticator.use_keys
    keepers = (watch.run, lambda: keep_keys(tokens.jwks, tokens.jwks_refresh_seconds, use_keys))
    return _Process(parts, watch, store, keepers)


async def _serve(config: ConsoleConfig, listener: socket.socket) -> int:
    process = _build(config)
    stop = Stop(config.console.drain_seconds)
    server = _Server(_server_config(config.console, create_app(process.parts, process.watch, stop)))
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port)
    failed = False
    try:
        async with _background(process.keepers):
            with _signals(stop, server):
                await server.serve(sockets=[listener])
    except* Exception:
        # A background task that ends is a bug: better a new process than one that answers 503 for ever.
        log.exception("bug")
        failed = True
    await process.store.close()
    log.info("stopped", failed=failed)
    return EXIT_FAILED if failed else EXIT_OK


@contextlib.asynccontextmanager
async def _background(keepers: tuple[Keeper, ...]) -> AsyncIterator[None]:
    """The keepers run as long as the body does; if one of them fails, the body is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keeper()) for keeper in keepers]
        yield
        for task in tasks:
            task.cancel()


def _server_config(settings: ConsoleSettings, app: Edge) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.stop_timeout_seconds,
    )


@contextlib.contextmanager
def _signals(stop: Stop, server: uvicorn.Server) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    asked = (signal.SIGTERM, signal.SIGINT)
    for one in asked:
        loop.add_signal_handler(one, stop.asked, server, one.name)
    try:
        yield
    finally:
        for one in asked:
            loop.remove_signal_handler(one)
