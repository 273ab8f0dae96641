"""schemathesis: every answer of an ingress is in its OpenAPI document, and none is a 5xx.

Each run is bounded and has one seed. `make fuzz` runs it for longer (EXAMPLES=).
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ingress.config import IngressSettings
from ingress.server import server_config
from ops.local.servers.ports import LOOPBACK
from schemas.openapi.export import FOLDER
from schemas.settings import Limits
from serving.http.life import Server
from tests.ingress.conftest import running_rig
from tests.ingress.real import Running, config, declare, fresh_token, ingress_process, make_topic, until_ready
from tests.ingress.rig import Rig, token
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
SEED = os.environ.get("FUZZ_SEED", "1")
# A run of the default size takes seconds; a long one an example's share more.
TIMEOUT_SECONDS = 300 + EXAMPLES * 10
SERVER_SECONDS = PATIENCE_SECONDS

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


@contextlib.contextmanager
def rig_on_a_socket() -> Iterator[tuple[Rig, str]]:
    """The in-memory ingress behind uvicorn, in a thread."""
    rig = Rig(Limits(max_requests_per_player=1_000_000), apply_seconds=0.2)
    server = Server(server_config(IngressSettings(), rig.app))

    async def serve(listener: socket.socket) -> None:
        async for _ in running_rig(rig):
            await server.serve(sockets=[listener])

    with on_a_socket(server, serve) as url:
        yield rig, url


@contextlib.contextmanager
def on_a_socket(server: Server, serve: Callable[[socket.socket], Coroutine[Any, Any, None]]) -> Iterator[str]:
    """Serves on a free port, in a thread. Returns the address."""
    listener = socket.create_server((LOOPBACK, 0))
    thread = threading.Thread(target=lambda: asyncio.run(serve(listener)))
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(SERVER_SECONDS)


def schemathesis(url: str, bearer: str, folder: Path, *more: str, document: str = "openapi.json") -> None:
    """Fails with its findings."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("schemathesis"),
        "run",
        FOLDER / document,
        f"--url={url}",
        f"--header=Authorization: Bearer {bearer}",
        f"--checks={','.join(CHECKS)}",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--no-color",
        f"--request-timeout={PATIENCE_SECONDS:g}",
        "--generation-database=none",
        *more,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_SECONDS + 20)
def test_no_answer_is_outside_the_document(tmp_path: Path) -> None:
    """All phases, stateful ones too: a receipt that was given leads to its state."""
    with rig_on_a_socket() as (rig, url):
        schemathesis(url, token(), tmp_path)
    assert rig.topic.records, "some of what it made was a good batch"


@pytest.mark.timeout(TIMEOUT_SECONDS + 20)
def test_no_answer_of_a_real_ingress_is_outside_the_document(servers: Servers, tmp_path: Path) -> None:
    """On real Kafka and MongoDB, for what only they can answer."""
    name = f"conformance-{uuid.uuid4().hex[:8]}"
    asyncio.run(make_topic(servers.kafka, name))
    declare(servers.mongodb, name)
    file = config(tmp_path, servers.kafka, servers.mongodb, name, apply_timeout_seconds=0.05)
    with ingress_process(file) as running:
        asyncio.run(_ready(running))
        schemathesis(running.url, fresh_token(), tmp_path, "--phases=examples,fuzzing")


async def _ready(running: Running) -> None:
    async with aiohttp.ClientSession() as session:
        await until_ready(running, session)
