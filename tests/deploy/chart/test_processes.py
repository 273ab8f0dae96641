"""Each process, started as its pod starts it: the probes answer on their paths, and it ends within its grace period.

Kafka and MongoDB are unavailable here, which restarts no pod.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ops.config import variable_of
from tests.deploy.chart.conftest import COMMITTED, documents_of_case
from tests.deploy.chart.objects import command_of, container_of, environment, of_kind, pod_of, pre_stop_seconds
from tests.deploy.chart.render import Document
from tests.deploy.chart.test_settings import ADDRESSES, SECRET, SECRETS_DIR
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

# Nothing listens on port 1.
UNAVAILABLE = {
    variable_of("kafka.bootstrap_servers"): "127.0.0.1:1",
    variable_of("mongodb.uri"): "mongodb://127.0.0.1:1/?replicaSet=rs0",
}
PAUSE_SECONDS = 0.05


def deployment(case: str, command: str) -> tuple[Document, dict[str, str]]:
    """A Deployment and its variables."""
    documents = documents_of_case(case)
    (found,) = (one for one in of_kind(documents, "Deployment") if command_of(one) == command)
    return found, environment(found, documents)


@contextmanager
def started(command: str, variables: dict[str, str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The process, with its log. It listens on loopback, on a free port."""
    host, port = (variable_of(name) for name in ADDRESSES[command])
    given = {**SECRET, **variables, **UNAVAILABLE, host: "127.0.0.1", port: "0", "PATH": os.environ["PATH"]}
    del given[SECRETS_DIR]  # the Secret is in variables here
    path = folder / "log"
    with path.open("wb") as log:
        tallymill = str(Path(sys.executable).with_name("tallymill"))
        process = subprocess.Popen([tallymill, command], env=given, cwd=folder, stdout=log, stderr=log)
        try:
            yield process, path
        finally:
            process.kill()
            process.wait()


def port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    """Where it listens, once it does."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        if found := re.search(r'.*"event": "listening".*', log.read_text()):
            return int(json.loads(found[0])["port"])
        time.sleep(PAUSE_SECONDS)
    pytest.fail(f"it does not listen:\n{log.read_text()}")


def status(port: int, path: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize(
    ("case", "command"),
    [(COMMITTED, "ingress"), (COMMITTED, "worker"), (COMMITTED, "console"), ("everything", "canary")],
)
def test_a_process_answers_its_probes_and_ends_in_time(case: str, command: str, tmp_path: Path) -> None:
    """Alive while its servers are unavailable, ready only with them; and metrics for the monitor."""
    workload, variables = deployment(case, command)
    probes = {
        kind: container_of(workload)[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")
    }
    assert probes["readiness"] != probes["liveness"]
    with started(command, variables, tmp_path) as (process, log):
        port = port_of(process, log)
        assert (200, 200) == (status(port, probes["startup"])[0], status(port, probes["liveness"])[0])
        ready, body = status(port, probes["readiness"])
        assert (ready == 200) == json.loads(body)["ready"] == (command == "canary")
        assert 200 == status(port, "/metrics")[0]
        process.send_signal(signal.SIGTERM)
        grace = pod_of(workload)["spec"]["terminationGracePeriodSeconds"] - pre_stop_seconds(workload)
        assert 0 == process.wait(grace)
