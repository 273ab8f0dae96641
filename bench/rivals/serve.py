"""One server process with the ingress's uvicorn settings: `python -m bench.rivals.serve MODULE PORT`."""

import asyncio
import importlib
import socket
import sys

import uvicorn
import uvloop

from ingress.config import IngressSettings
from ingress.server import server_config
from ops.local.servers.ports import LOOPBACK
from serving.http.life import BACKLOG_CONNECTIONS


def main(module: str, port: int) -> None:
    config = server_config(IngressSettings(), importlib.import_module(module).app)
    config.lifespan = "auto"  # the producers of the rivals start there
    with (
        socket.create_server((LOOPBACK, port), backlog=BACKLOG_CONNECTIONS) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
