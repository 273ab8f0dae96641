"""A whole system as a user has it: started with `tallymill up`, used over HTTP, looked at with the other commands."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from ops.config import DATA_VARIABLE, FILE_VARIABLE, PREFIX
from schemas.documents import REQUESTS

COMMAND_SECONDS = 90

# Shorter than by default, so that a test needs not wait as long as a user would rather.
PUBLISH_DEADLINE_SECONDS = 2
SETTINGS = {
    "TALLYMILL_INGRESS__PUBLISH_DEADLINE_SECONDS": str(PUBLISH_DEADLINE_SECONDS),
    "TALLYMILL_WORKER__SESSION_TIMEOUT_SECONDS": "6",
    "TALLYMILL_INGRESS__APPLY_TIMEOUT_SECONDS": "10",
}


def until(holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]
    seconds: float

    @property
    def totals(self) -> dict[str, int]:
        return {event["definitionId"]: int(event["numEvents"]) for event in self.body.get("playerEvents", ())}

    @property
    def causes(self) -> list[str]:
        return [failure["failureCause"] for failure in self.body.get("batchFailures", ())]


def post(url: str, headers: dict[str, str], body: str | bytes) -> Reply:
    """POST past any proxy."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    start = time.monotonic()
    try:
        connection.request("POST", parts.path, body=body, headers=headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        return Reply(answer.status, dict(answer.getheaders()), content, time.monotonic() - start)
    finally:
        connection.close()


def get(url: str, authorization: str) -> tuple[int, dict[str, Any]]:
    """GET past any proxy."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers={"Authorization": authorization})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class System:
    """A system under a data folder; every command finds it there."""

    data: Path
    welcome: str = ""

    def start(self, *words: str, settings_file: Path | None = None) -> "subprocess.Popen[str]":
        """A command under way."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or "CACHE" in name}
        file = {FILE_VARIABLE: str(settings_file)} if settings_file else {}
        return subprocess.Popen(
            [sys.executable, "-m", "ops", *words],
            env={**own, **SETTINGS, **file, DATA_VARIABLE: str(self.data)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, settings_file: Path | None = None) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        return finish(self.start(*words, settings_file=settings_file))

    def status(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.run("status", "--json")[1])
        return state

    def pids(self) -> list[int]:
        state = self.status()
        names = ("supervisor", "kafka_pid", "mongodb_pid", "ingress_pid", "console_pid")
        own = [state[name] for name in names]
        return own + [worker["pid"] for worker in state["workers"]]

    def token(self, player: str, app: str = "demo") -> str:
        return self.run("token", "--app", app, "--player", player)[1].splitlines()[-1]

    @contextmanager
    def loading(self, seconds: float, *, after: int) -> Iterator["Load"]:
        """A load under way, of which `after` batches have been counted already."""
        state = self.status()
        words = ("load", "--rate=100", f"--seconds={seconds}", "--players=50", "--json")
        with MongoClient[dict[str, Any]](state["mongodb"]) as client:
            counted = client[state["database"]][REQUESTS].count_documents
            before = counted({})
            with self.start(*words) as process:
                try:
                    until(lambda: counted({}) >= before + after, "the load has begun")
                    yield Load(process)
                finally:
                    process.kill()


class Load:
    """A load under way."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def goes_on(self) -> bool:
        return self._process.poll() is None

    def report(self) -> dict[str, Any]:
        """What it found, once it has ended well: every sum right to the unit, nothing refused or unknown."""
        status, output, errors = finish(self._process)
        assert output, errors
        found: dict[str, Any] = json.loads(output)
        assert ("right to the unit", [], {}, 0) == (
            found["sums"],
            found["differences"],
            found["refused"],
            found["unknown"],
        )
        assert 0 == status
        assert found["accepted"] + found["duplicates_sent"] == found["requests"]
        return found


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    try:
        output, errors = process.communicate(timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, output, errors
