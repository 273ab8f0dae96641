"""The life of a canary process: it serves its probes and metrics, and sends batches until SIGTERM or SIGINT."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from ops.canary.canary import Canary
from ops.canary.ingress import Ingress
from ops.canary.metrics import CanaryMetrics
from ops.canary.tokens import token_source
from ops.config import Settings
from schemas.canary import CanarySettings
from serving.clock import SystemClock
from serving.failures import report
from serving.http import life, probes
from serving.http.get_routes import GetRoutes
from serving.http.protocol import server_config
from serving.reload.secrets import Reload

log = structlog.get_logger()

MAX_CONNECTIONS: Final = 100
KEEP_ALIVE_SECONDS: Final = 75
STOP_TIMEOUT_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class CanaryConfig:
    """What a canary process gets."""

    settings: CanarySettings
    url: str
    token: Callable[[], str]


def canary_config(settings: Settings) -> CanaryConfig:
    """The part of the settings that a canary needs. Raises SettingsError."""
    return CanaryConfig(settings.canary, settings.canary.url or _own_ingress(settings), token_source(settings))


def _own_ingress(settings: Settings) -> str:
    host = settings.ingress.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.ingress.port}"


def run(config: CanaryConfig, reload: Reload | None = None) -> int:
    """Run until a signal. Returns the exit code. `reload`: renews the token at SIGHUP."""
    return life.run(config.settings.metrics_host, config.settings.metrics_port, partial(_serve, config, reload))


async def _serve(config: CanaryConfig, reload: Reload | None, listener: socket.socket) -> int:
    settings, metrics = config.settings, CanaryMetrics()
    ingress = Ingress(config.url, config.token, settings.try_seconds)
    canary = Canary(ingress, metrics, SystemClock(), settings.interval_seconds)
    endpoints = {
        "/metrics": probes.metrics(metrics.registry),
        "/livez": probes.live(lambda: True, field="alive", spaced=True),
        "/readyz": probes.ready(list, spaced=True),
    }
    connections = metrics.connections.bounded(MAX_CONNECTIONS, None)
    app = GetRoutes(endpoints, SystemClock())
    failed = False
    tasks: tuple[life.BackgroundTask, ...] = (canary.run,)
    if reload:
        reload.renews("canary.token")
        tasks += (reload.run,)
    server = server_config(app, connections, KEEP_ALIVE_SECONDS, STOP_TIMEOUT_SECONDS)
    try:
        async with ingress:
            await life.serve(server, listener, life.Stop(drain_seconds=0), tasks)
    except* Exception as failures:  # noqa: BLE001 a bug: it is reported, and the process ends
        report(failures)
        failed = True
    log.info("stopped", failed=failed)
    return life.EXIT_FAILED if failed else life.EXIT_OK
