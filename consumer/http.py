"""A worker's HTTP server: /metrics (Prometheus), /livez and /readyz, within the bounds of every server (B9)."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from consumer.metrics import WorkerMetrics
from serving.clock import SystemClock
from serving.http import life, probes
from serving.http.get_routes import GetRoutes
from serving.http.probes import Missing
from serving.http.protocol import server_config

# Supervisors and scrapers: a handful.
MAX_CONNECTIONS: Final = 100
KEEP_ALIVE_SECONDS: Final = 75
STOP_TIMEOUT_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Probes:
    """The server, listening."""

    server: life.Server
    serving: asyncio.Task[None]

    async def cleanup(self) -> None:
        """Stop listening."""
        self.server.should_exit = True
        await self.serving


async def serve(
    listener: socket.socket,
    metrics: WorkerMetrics,
    *,
    alive: Callable[[], bool],
    missing: Callable[[], Sequence[Missing]],
) -> Probes:
    """Serve on a socket that listens. The caller cleans up."""
    app = GetRoutes(
        {
            "/metrics": probes.metrics(metrics.registry),
            "/livez": probes.live(alive, field="alive", spaced=True),
            "/readyz": probes.ready(missing, spaced=True),
        },
        SystemClock(),
    )
    connections = metrics.connections.bounded(MAX_CONNECTIONS, None)
    server = life.Server(server_config(app, connections, KEEP_ALIVE_SECONDS, STOP_TIMEOUT_SECONDS))
    return Probes(server, asyncio.create_task(server.serve(sockets=[listener]), name="probes"))
