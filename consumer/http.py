"""What a worker tells over HTTP: /metrics (Prometheus), /livez, /readyz."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


def _app(registry: CollectorRegistry, alive: Callable[[], bool], ready: Callable[[], bool]) -> web.Application:
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def livez(_request: web.Request) -> web.Response:
        is_alive = alive()
        return web.json_response({"alive": is_alive}, status=200 if is_alive else 503)

    async def readyz(_request: web.Request) -> web.Response:
        is_ready = ready()
        return web.json_response({"ready": is_ready}, status=200 if is_ready else 503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/livez", livez), web.get("/readyz", readyz)])
    return app


async def serve(
    host: str, port: int, registry: CollectorRegistry, *, alive: Callable[[], bool], ready: Callable[[], bool]
) -> web.AppRunner:
    """Listen. The caller cleans the runner up. Raises OSError where the port is taken."""
    runner = web.AppRunner(_app(registry, alive, ready), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
