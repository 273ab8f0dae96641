"""The in-memory ingress as a process that may open few files: `python -m tests.ingress.serve_rig MAX_FILES`."""

import asyncio
import resource
import socket
import sys

from ingress.config import IngressSettings
from ingress.server import server_config
from serving.http.life import Server
from tests.ingress.rig import Rig


async def serve() -> None:
    rig = Rig(apply_seconds=0)
    await rig.games.lineage.read()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    print(f"port {listener.getsockname()[1]}", flush=True)  # noqa: T201 who started it reads the port
    await Server(server_config(IngressSettings(), rig.app)).serve(sockets=[listener])


if __name__ == "__main__":
    most = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(serve())
