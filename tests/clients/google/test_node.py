"""Google's client for Node.js against a real ingress: a second client that must not tell the difference."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.discovery import problems
from tests.clients.google.client import batch, period
from tests.clients.nodejs import packages, run_with_client
from tests.clients.running import System

# npm's first fetch is part of it.
pytestmark = pytest.mark.timeout(600)

Call = dict[str, Any]

DRIVE_SCOPE = "https://www.googleapis.com/auth/drive"


@pytest.fixture(scope="module")
def node_modules() -> Path:
    return packages()


def call(url: str, token: str, method: str, **parameters: object) -> Call:
    return {"url": url, "token": token, "method": method, "parameters": parameters}


def outcomes(node_modules: Path, *calls: Call) -> list[dict[str, Any]]:
    """What comes of the calls; the document must know every answer."""
    found: list[dict[str, Any]] = run_with_client("call.cjs", node_modules, calls)
    for made, outcome in zip(calls, found, strict=True):
        for answer in outcome.get("answers", ()):
            assert "fields" in made["parameters"] or [] == problems(made["method"], answer)
    return found


def told(outcome: dict[str, Any]) -> tuple[int, str, str]:
    """What a client acts on."""
    error = outcome["error"]["body"]["error"]
    assert outcome["error"]["status"] == error["code"]
    return error["code"], error["status"], error["errors"][0]["reason"]


def test_record_counts_and_a_second_time_is_already_updated(system: System, node_modules: Path) -> None:
    """Its int64s are strings, for JavaScript's numbers end at 2^53."""
    token, body = system.token("node-ann"), batch(2**62, period(LEVEL_UP=2, NO_SUCH=1))
    record = call(system.url, token, "record", requestBody=body, language="en")
    first, second = (outcome["answers"][0] for outcome in outcomes(node_modules, record, record))
    assert ([], "2") == (first["batchFailures"], first["playerEvents"][0]["numEvents"])
    assert [("NO_SUCH", "NOT_FOUND")] == [(one["eventId"], one["failureCause"]) for one in first["eventFailures"]]
    assert ["ALREADY_UPDATED"] == [failure["failureCause"] for failure in second["batchFailures"]]
    assert {"LEVEL_UP": 2} == system.totals("node-ann")


def test_its_errors_have_the_status_and_the_reason(system: System, without_kafka: str, node_modules: Path) -> None:
    """401, 403, 400, 413, and 503 of an ingress without Kafka."""
    good, body = system.token("node-bob"), batch(1, period(LEVEL_UP=1))
    found = outcomes(
        node_modules,
        call(system.url, "no.such.token", "record", requestBody=body),
        call(system.url, system.token("node-bob", DRIVE_SCOPE), "record", requestBody=body),
        call(system.url, good, "record", requestBody=body | {"requestId": "one"}),
        call(system.url, good, "record", requestBody=batch(1, period(**{"X" * (2 << 20): 1}))),
        call(without_kafka, good, "record", requestBody=body),
    )
    expected = [
        (401, "UNAUTHENTICATED", "authError"),
        (403, "PERMISSION_DENIED", "insufficientPermissions"),
        (400, "INVALID_ARGUMENT", "badRequest"),
        (413, "INVALID_ARGUMENT", "requestTooLarge"),
        (503, "UNAVAILABLE", "backendError"),
    ]
    assert expected == [told(outcome) for outcome in found]
    assert {} == system.totals("node-bob")
