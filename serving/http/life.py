"""The life of a process that serves HTTP: its port, its stop in stages, its background tasks.

The port is opened first, so that a second process on the same port fails at once. SIGTERM or SIGINT stops the process:
/readyz answers 503 at once, and requests are accepted for `drain_seconds` more. Then the port is closed, and the
requests that were accepted are answered. A second signal skips the waiting.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Protocol

import structlog
import uvicorn

from serving.failures import new_loop
from serving.kafka.words import why

log = structlog.get_logger()

BACKLOG_CONNECTIONS = 2_048

# A task that lost its cancellation is cancelled again after this pause.
CANCEL_AGAIN_SECONDS = 0.2

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]

EXIT_OK = 0
EXIT_FAILED = 1


def run(host: str, port: int, serve: Callable[[socket.socket], Coroutine[Any, Any, int]]) -> int:
    """Open the port and `serve` on it. Returns the process's exit code."""
    try:
        listener = listening(host, port)
    except OSError as error:
        log.error("port_not_taken", host=host, port=port, reason=why(error))  # noqa: TRY400 the reason is the message
        return EXIT_FAILED
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port)
    with listener, asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(serve(listener))


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. `::` means all addresses, also those of IPv4. Raises OSError."""
    if ":" not in host:
        return socket.create_server((host, port), backlog=BACKLOG_CONNECTIONS)
    both = socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=socket.AF_INET6, backlog=BACKLOG_CONNECTIONS, dualstack_ipv6=both)


class Stopping(Protocol):
    @property
    def draining(self) -> bool:
        """Whether a stop was asked for: /readyz answers 503, and replies close their connections."""
        ...


class Stop:
    """The stages of a stop: none, draining, exiting, exiting at once."""

    def __init__(self, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds
        self.draining = False

    def asked(self, server: uvicorn.Server, signal_name: str) -> None:
        """Handle a signal. The second one skips the draining."""
        if self.draining:
            server.force_exit = server.should_exit = True
            return
        log.info("stopping", signal=signal_name)
        self.draining = True
        asyncio.get_running_loop().call_later(self._drain_seconds, _exit, server)


def _exit(server: uvicorn.Server) -> None:
    server.should_exit = True


class Server(uvicorn.Server):
    """uvicorn without its signal handlers, which would close the port before clients see that /readyz answers 503."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    config: uvicorn.Config, listener: socket.socket, stop: Stop, background_tasks: tuple[BackgroundTask, ...]
) -> None:
    """Serve until stopped, with background tasks. If one of them fails, serving ends with an ExceptionGroup."""
    server = Server(config)
    async with _background(background_tasks):
        with _signals(stop, server):
            await server.serve(sockets=[listener])


@contextlib.asynccontextmanager
async def _background(background_tasks: tuple[BackgroundTask, ...]) -> AsyncIterator[None]:
    """Run the tasks as long as the body. If one of them fails, the body is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_cancellable(one)) for one in background_tasks]
        yield
        for task in tasks:
            task.cancel()


async def _cancellable(background_task: BackgroundTask) -> None:
    """Run the task. If cancelled, cancel it again until it ends.

    MongoDB's client (pymongo 4.20) sometimes turns a cancellation into a network error. The task then waits until the
    server is available, and the process would not end.
    """
    task = asyncio.create_task(background_task())
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=CANCEL_AGAIN_SECONDS)
        if not task.cancelled():
            task.result()  # raises what it raised meanwhile
        raise


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
