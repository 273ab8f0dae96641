"""schemathesis: every reply of a console is in its OpenAPI document, and none is 500."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.metrics import PLAYER, QUERIES
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, DEFINITIONS, EXCEPTIONS, LINEAGES, PLAYERS, REFUSALS, REQUESTS
from schemas.openapi.console_routes import CONSOLE
from schemas.openapi.document import openapi_document
from schemas.request_ids import StoredRequest, packed
from schemas.wire.console_replies import READ_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE
from serving.http.connections import Connections
from serving.http.life import Server
from serving.http.protocol import server_config
from tests.console.rig import MIDNIGHT, MINUTE, Answer, Rig, event, period_counts
from tests.console.test_console_lookups import (
    checkpoint,
    dead_letter,
    definition,
    exception,
    lineage,
    player_document,
    refusal,
)
from tests.ingress.rig import token
from tests.ingress.test_conformance import TIMEOUT_SECONDS, on_a_socket, schemathesis


@contextlib.contextmanager
def rig_on_a_socket() -> Iterator[tuple[Rig, str]]:
    """A console with counts and events in memory, behind uvicorn in a thread."""
    rig = Rig()
    rig.store.counts |= period_counts([(MIDNIGHT + n * MINUTE, "A", 1) for n in range(100)])
    rig.store.stored |= {one["_id"]: one for one in (event(f"{n}", MIDNIGHT + n) for n in range(100))}
    fill(rig)
    server = Server(server_config(rig.app, Connections(100, None), 75, 5))

    async def serve(listener: socket.socket) -> None:
        await rig.watch.check()
        await server.serve(sockets=[listener])

    with on_a_socket(server, serve) as url:
        yield rig, url


# The document itself has none for optional parameters (tests/serving/test_docs_page.py). Without them few of the
# queries that schemathesis makes are good ones.
OPTIONAL = {
    "actor": "ann",
    "tz": "Europe/Berlin",
    "step": "day",
    "limit": 10,
    "cause": "NOT_FOUND",
    "redriven": "false",
}


def with_examples() -> dict[str, Any]:
    document = openapi_document(CONSOLE)
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in OPTIONAL:
                    parameter["example"] = OPTIONAL[parameter["name"]]
    return document


def fill(rig: Rig) -> None:
    """What the examples of the document name, and more than a page of each list."""
    put = rig.store.lookups.put
    put(DEFINITIONS, *(definition(f"E{n}") for n in range(20)))
    put(PLAYERS, player_document("ann", LEVEL_UP=1, COIN=2))
    put(REFUSALS, *(refusal(n) for n in range(20)))
    put(DEAD_LETTERS, *(dead_letter(n) for n in range(20)))
    put(REQUESTS, *packed(PartitionId("r1", 3), {"demo/ann/7": StoredRequest(MIDNIGHT, 1, 5)}))
    put(LINEAGES, lineage("r1"))
    put(CHECKPOINTS, checkpoint(2_000))
    put(EXCEPTIONS, exception(1_234, "refused", "NOT_FOUND"))


def queries_of(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, str], list[str], bool]]:
    """The path, the required parameters with a good value, and the optional ones, of each GET that takes a query.

    Last: whether the document allows that the optional ones are empty.
    """
    for path, operations in document["paths"].items():
        parameters = operations.get("get", {}).get("parameters", ())
        good = {one["name"]: str(one.get("example")) for one in parameters if one["required"]}
        optional = [one for one in parameters if one["in"] == "query" and not one["required"]]
        if optional:
            found = path
            for one in parameters:
                found = found.replace(f"{{{one['name']}}}", str(one.get("example")))
            required = {name: value for name, value in good.items() if f"{{{name}}}" not in path}
            yield found, required, [one["name"] for one in optional], all("allowEmptyValue" in one for one in optional)


def without_time(answer: Answer) -> dict[str, Any]:
    """`asOf` is the time of the answer."""
    return {**json.loads(answer.body), "asOf": None}


async def test_an_empty_parameter_is_an_absent_one_and_the_document_says_so() -> None:
    """Of every route with a query."""
    rig = Rig()
    fill(rig)
    await rig.watch.check()
    bearer = token(scope=f"{READ_SCOPE} {REFUSALS_SCOPE}", exp=4_000_000_000)
    asked = 0
    for path, required, optional, allowed in queries_of(openapi_document(CONSOLE)):
        if path.startswith("/v1/session"):
            continue
        if path == "/v1/events":
            required["actor"] = "ann"  # or a range
        absent = await rig.get(path, required, bearer)
        assert (path, 200, True) == (path, absent.status, allowed), absent.body
        for name in set(optional) - {*required}:
            empty = await rig.get(path, {**required, name: ""}, bearer)
            assert (path, name, without_time(absent)) == (path, name, without_time(empty))
            asked += 1
    assert asked > 20


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_SECONDS + 20)
def test_no_answer_of_a_console_is_outside_its_document(tmp_path: Path) -> None:
    """In all phases. Some of the queries return rows."""
    with rig_on_a_socket() as (rig, url):
        scopes = f"{READ_SCOPE} {REFUSALS_SCOPE}"
        document = tmp_path / "with_examples.json"
        document.write_text(json.dumps(with_examples()))
        schemathesis(url, token(scope=scopes, exp=4_000_000_000), tmp_path, document=str(document))
    assert rig.store.parts, "some of what it made was a good query"
    assert rig.store.keys_wanted
    assert answered(rig, PLAYER, "404")
    assert all(answered(rig, route, "200") for route in QUERIES), "every route had a good query"


def answered(rig: Rig, route: str, code: str) -> float:
    labels = {"route": route, "code": code}
    return rig.metrics.registry.get_sample_value("tallymill_console_requests_total", labels) or 0
