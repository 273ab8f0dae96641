"""schemathesis: every reply of a console is in its OpenAPI document, and none is 500."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.wire.console_replies import READ_SCOPE
from serving.http.connections import Connections
from serving.http.life import Server
from serving.http.protocol import server_config
from tests.console.rig import MIDNIGHT, MINUTE, Rig, event, period_counts
from tests.ingress.rig import token
from tests.ingress.test_conformance import TIMEOUT_SECONDS, on_a_socket, schemathesis


@contextlib.contextmanager
def rig_on_a_socket() -> Iterator[tuple[Rig, str]]:
    """A console with counts and events in memory, behind uvicorn in a thread."""
    rig = Rig()
    rig.store.counts |= period_counts([(MIDNIGHT + n * MINUTE, "A", 1) for n in range(100)])
    rig.store.stored |= {one["_id"]: one for one in (event(f"{n}", MIDNIGHT + n) for n in range(100))}
    server = Server(server_config(rig.app, Connections(100, None), 75, 5))

    async def serve(listener: socket.socket) -> None:
        await rig.watch.check()
        await server.serve(sockets=[listener])

    with on_a_socket(server, serve) as url:
        yield rig, url


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_SECONDS + 20)
def test_no_answer_of_a_console_is_outside_its_document(tmp_path: Path) -> None:
    """In all phases. Some of the queries return rows."""
    with rig_on_a_socket() as (rig, url):
        schemathesis(url, token(scope=READ_SCOPE, exp=4_000_000_000), tmp_path, document="openapi.console.json")
    assert rig.store.parts, "some of what it made was a good query"
    assert rig.store.keys_wanted
