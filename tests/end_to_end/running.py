"""A whole system as a user has it: started with `tallymill up`, used over HTTP, examined with the other commands."""

import http.client
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from ops.config import DATA_VARIABLE, FILE_VARIABLE, PREFIX
from ops.local.servers.processes import own_command
from ops.local.state import read_state, to_fields
from ops.local.supervisor import http_answers
from schemas.documents import REQUESTS
from tests.ops.local.servers.test_processes import is_alive
from tests.patience import PATIENCE_SECONDS
from tests.stored_ids import stored_ids

# `up` waits for several processes, one after the other.
COMMAND_SECONDS = 2 * PATIENCE_SECONDS

# Longer than any test waits.
FOR_EVER_SECONDS = 3_600

# Shorter than by default, so that a test needs not wait as long as a user would rather.
PUBLISH_DEADLINE_SECONDS = 2
SETTINGS = {
    "TALLYMILL_INGRESS__PUBLISH_DEADLINE_SECONDS": str(PUBLISH_DEADLINE_SECONDS),
    "TALLYMILL_WORKER__SESSION_TIMEOUT_SECONDS": "6",
    "TALLYMILL_INGRESS__APPLY_TIMEOUT_SECONDS": str(PATIENCE_SECONDS),
}


def until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS, pause_seconds: float = 0.05) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(pause_seconds)


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
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE_SECONDS)
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
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE_SECONDS)
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
    settings: Mapping[str, str] = field(default_factory=lambda: SETTINGS)
    stands: Path | None = None
    """The folder that its commands are run in; this one if none."""

    def start(self, *words: str, settings_file: Path | None = None) -> "subprocess.Popen[str]":
        """A command under way."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or "CACHE" in name}
        file = {FILE_VARIABLE: str(settings_file)} if settings_file else {}
        return subprocess.Popen(
            own_command(*words),
            cwd=self.stands,
            env={**own, **self.settings, **file, DATA_VARIABLE: str(self.data)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, settings_file: Path | None = None) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        return finish(self.start(*words, settings_file=settings_file))

    def status(self) -> dict[str, Any]:
        """What runs, and where, as `status --json` has it; without asking any process, which takes seconds."""
        state = read_state(self.data)
        return to_fields(state) if state else {"phase": "stopped"}

    def worker(self) -> int:
        """The first worker's process id, once it is at work."""
        pid = 0

        def at_work() -> bool:
            nonlocal pid
            worker = self.status()["workers"][0]
            pid = worker["pid"]
            return is_alive(pid) and http_answers(worker["metrics"].replace("/metrics", "/readyz"))

        until(at_work, "worker-1 is at work")
        return pid

    def accepted(self) -> int:
        """How many batches the ingress has answered with 200."""
        url = self.status()["ingress"]
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        name = 'tallymill_ingress_requests_total{code="200",route="/games/v1/events"} '
        return int(float(next((line.removeprefix(name) for line in lines if line.startswith(name)), "0")))

    def pids(self) -> list[int]:
        state = self.status()
        names = ("supervisor", "kafka_pid", "mongodb_pid", "ingress_pid", "console_pid")
        own = [state[name] for name in names]
        return own + [worker["pid"] for worker in state["workers"]]

    def token(self, player: str, app: str = "demo") -> str:
        return self.run("token", "--app", app, "--player", player)[1].splitlines()[-1]

    @contextmanager
    def loading(self, seconds: float = FOR_EVER_SECONDS, *, after: int) -> Iterator["Load"]:
        """A running load, of which `after` batches have been counted. It continues until it is ended."""
        state = self.status()
        words = ("load", "--rate=100", f"--seconds={seconds:g}", "--players=50", "--json")
        with MongoClient[dict[str, Any]](state["mongodb"]) as client:
            requests = client[state["database"]][REQUESTS]
            with self.start(*words) as process:
                load = Load(process, lambda: len(stored_ids(requests.find())))
                try:
                    load.until_counted(after)
                    yield load
                finally:
                    process.kill()


class Load:
    """A load under way."""

    def __init__(self, process: "subprocess.Popen[str]", counted: Callable[[], int]) -> None:
        self._process = process
        self._counted = counted

    def until_counted(self, more: int) -> None:
        """Until so many more batches are than now."""
        before = self._counted()
        until(lambda: self._counted() >= before + more, f"{more} batches counted")

    def ended(self) -> dict[str, Any]:
        """End it, as Ctrl-C does. Returns its report."""
        assert self._process.poll() is None, "it went on until now"
        self._process.send_signal(signal.SIGINT)
        return self.report()

    def report(self) -> dict[str, Any]:
        """Its report after a good end: every sum is exact, and nothing is refused or unknown."""
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
