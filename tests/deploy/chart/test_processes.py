"""Each process, started as its pod starts it: the probes answer on their paths, and it ends within its grace period.

Its Secret is a folder as the kubelet lays it. Kafka and MongoDB are unavailable here, which restarts no pod.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ops.config import PREFIX, variable_of
from tests.deploy.chart.conftest import COMMITTED, documents_of_case
from tests.deploy.chart.objects import (
    SECRETS_FOLDER,
    command_of,
    container_of,
    deployments,
    environment,
    pod_of,
    pre_stop_seconds,
)
from tests.deploy.chart.render import Document
from tests.deploy.chart.test_settings import ADDRESSES, SECRET, SECRETS_DIR
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

# Nothing listens on port 1.
UNAVAILABLE = {variable_of("kafka.bootstrap_servers"): "127.0.0.1:1"}
KEYS = {
    name.removeprefix(PREFIX): value
    for name, value in {**SECRET, variable_of("mongodb.uri"): "mongodb://127.0.0.1:1/?replicaSet=rs0"}.items()
}
PAUSE_SECONDS = 0.05

# A secret of each process that it can change at SIGHUP, and its new value.
CHANGES = {
    "ingress": ("signing.keys", '["another secret of many characters"]'),
    "worker": ("signing.keys", '["another secret of many characters"]'),
    "console": ("console.session_keys", '["another secret of many characters"]'),
    "canary": ("canary.token", "another-token"),
}


def lay(secret: Mapping[str, str], folder: Path) -> None:
    """Write a Secret as the kubelet does: a link for each key, into a folder behind one link, which is exchanged."""
    content = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for key, value in secret.items():
        (content / key).write_text(value)
        if not (folder / key).is_symlink():
            (folder / key).symlink_to(Path("..data") / key)
    (folder / "..data_tmp").symlink_to(content.name)
    (folder / "..data_tmp").rename(folder / "..data")


def deployment(case: str, command: str) -> tuple[Document, dict[str, str]]:
    """A Deployment and its variables."""
    documents = documents_of_case(case)
    (found,) = (one for one in deployments(documents) if command_of(one) == command)
    return found, environment(found, documents)


@contextmanager
def started(command: str, variables: dict[str, str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The process, with its log. It listens on loopback, on a free port. Its Secret is in the folder `secrets`."""
    host, port = (variable_of(name) for name in ADDRESSES[command])
    secrets = folder / "secrets"
    secrets.mkdir()
    lay(KEYS, secrets)
    assert SECRETS_FOLDER == variables[SECRETS_DIR]
    own = {SECRETS_DIR: str(secrets), host: "127.0.0.1", port: "0", "PATH": os.environ["PATH"]}
    given = {**variables, **UNAVAILABLE, **own}
    path = folder / "log"
    with path.open("wb") as log:
        tallymill = str(Path(sys.executable).with_name("tallymill"))
        process = subprocess.Popen([tallymill, command], env=given, cwd=folder, stdout=log, stderr=log)
        try:
            yield process, path
        finally:
            process.kill()
            process.wait()


def logged(process: subprocess.Popen[bytes], log: Path, events: str) -> Document:
    """The first line of an event, once it is in the log. `events`: its name, or several with `|`."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        if found := re.search(rf'.*"event": "(?:{events})".*', log.read_text()):
            line: Document = json.loads(found[0])
            return line
        time.sleep(PAUSE_SECONDS)
    pytest.fail(f"no {events}:\n{log.read_text()}")


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
    """Alive while its servers are unavailable, ready only with them; metrics for the monitor; a changed Secret."""
    workload, variables = deployment(case, command)
    probes = {
        kind: container_of(workload)[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")
    }
    assert probes["readiness"] != probes["liveness"]
    with started(command, variables, tmp_path) as (process, log):
        port = int(logged(process, log, "listening")["port"])
        assert (200, 200) == (status(port, probes["startup"])[0], status(port, probes["liveness"])[0])
        ready, body = status(port, probes["readiness"])
        assert (ready == 200) == json.loads(body)["ready"] == (command == "canary")
        assert 200 == status(port, "/metrics")[0]
        name, value = CHANGES[command]
        lay({**KEYS, variable_of(name).removeprefix(PREFIX): value}, tmp_path / "secrets")
        process.send_signal(signal.SIGHUP)
        assert [name] == logged(process, log, "secrets_renewed|secrets_not_renewed")["changed"]
        process.send_signal(signal.SIGTERM)
        grace = pod_of(workload)["spec"]["terminationGracePeriodSeconds"] - pre_stop_seconds(workload)
        assert 0 == process.wait(grace)
