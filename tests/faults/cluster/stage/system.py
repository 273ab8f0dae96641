"""Two ingresses and three workers on the cluster: real processes, with a topic, a group and a database of their own.

Each can be killed, frozen, thawed and started again; commands of tallymill are run with the same settings.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.config import DATA_VARIABLE, LOCAL_FILE_NAME, PREFIX
from ops.local.servers.ports import LOOPBACK, choose_ports
from ops.local.servers.processes import Child, Children, Program, last_lines
from ops.local.state import Process as Named
from ops.local.state import Servers, State, Worker, data_lock, write_state
from ops.tokens.issuer import ensure_issuer
from tests.frozen import freeze, thaw

ROOT = Path(__file__).parent.parent.parent.parent.parent

INGRESSES = 2
WORKERS = 3
PARTITIONS = 6
APP = "faults"
EVENT = "LEVEL_UP"

# Five processes that start at once on two busy cores.
READY_SECONDS = 120.0
COMMAND_SECONDS = 120.0

DEFINITIONS = {
    "app": APP,
    "definitions": [{"id": EVENT, "names": {"en": "Level up"}, "visibility": "REVEALED", "format": "grouped"}],
}


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def first_line(self) -> str:
        return next(iter((self.out + self.err).splitlines()), "")


@dataclass(slots=True)
class Process:
    """An ingress or a worker, at the same port whenever it is started."""

    name: str
    port: int
    program: Program
    child: Child | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        assert self.child, f"{self.name} does not run"
        return self.child.pid


class System:
    """Made by `running`. `ingresses` and `workers` are by number, from 0."""

    def __init__(self, children: Children, folder: Path, settings: Mapping[str, str]) -> None:
        self._children = children
        self.folder = folder
        self.database = settings["mongodb.database"]
        self.topics = (settings["kafka.records_topic"], settings["kafka.analytics_topic"])
        self._settings = settings
        self._environ = {_variable(name): value for name, value in settings.items()} | {
            "PYTHONPATH": str(ROOT),
            DATA_VARIABLE: str(folder / "data"),
        }
        ports = choose_ports([0] * (INGRESSES + WORKERS))
        self.ingresses = [self._process("ingress", n, ports[n]) for n in range(INGRESSES)]
        self.workers = [self._process("worker", n, ports[INGRESSES + n]) for n in range(WORKERS)]

    @property
    def processes(self) -> list[Process]:
        return [*self.ingresses, *self.workers]

    def log(self, process: Process) -> Path:
        return self.folder / "logs" / f"{process.name}.log"

    def _process(self, kind: str, number: int, port: int) -> Process:
        name = f"{kind}-{number + 1}"
        setting = {"ingress": "ingress.port", "console": "console.port"}.get(kind, "worker.metrics_port")
        environ = {**self._environ, _variable(setting): str(port)}
        return Process(name, port, Program(name, (sys.executable, "-m", "ops", kind), environ))

    async def run(self, *words: str) -> Ran:
        """A command, its output and its exit status."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ops", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_without_ours() | self._environ,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
        except TimeoutError:
            return Ran(-9, "", f"`{' '.join(words)}` did not end in {COMMAND_SECONDS:g} s")
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    def start(self, process: Process) -> None:
        if process.child is None:
            process.child = self._children.start(process.program)

    def kill(self, process: Process) -> None:
        """SIGKILL."""
        if process.child:
            self._children.forget(process.child)
            process.child = None

    async def stop(self, process: Process) -> int:
        """SIGTERM. Returns its exit status when it has ended."""
        child = process.child
        assert child, f"{process.name} does not run"
        os.kill(child.pid, signal.SIGTERM)
        give_up = time.monotonic() + READY_SECONDS
        while (status := child.exit_status()) is None:
            assert time.monotonic() < give_up, f"{process.name} does not end:\n{last_lines(self.log(process))}"
            await asyncio.sleep(0.02)
        self.kill(process)
        return status

    def freeze(self, process: Process) -> None:
        freeze(process.pid)

    def thaw(self, process: Process) -> None:
        thaw(process.pid)

    async def initialise(self) -> None:
        """`init`, and the app's definitions."""
        ran = await self.run("init")
        assert 0 == ran.status, ran.out + ran.err
        file = self.folder / "definitions.json"
        file.write_text(json.dumps(DEFINITIONS))
        ran = await self.run("definitions", "apply", str(file))
        assert 0 == ran.status, ran.out + ran.err

    async def start_all(self) -> None:
        """Returns when every process is ready."""
        await self.start_ready(*self.processes)

    async def start_ready(self, *processes: Process) -> None:
        """Returns when these are ready."""
        for process in processes:
            self.start(process)
        give_up = time.monotonic() + READY_SECONDS
        for process in processes:
            while not await asyncio.to_thread(is_ready, process):
                why = last_lines(self.log(process))
                assert time.monotonic() < give_up, f"{process.name} is not ready:\n{why}"
                assert process.child, f"{process.name} was not started"
                assert process.child.exit_status() is None, f"{process.name} has ended:\n{why}"
                await asyncio.sleep(0.1)

    def write_state(self, kafka: str, mongodb: str) -> None:
        """The state file of `tallymill status`, as if these processes were the local system."""
        workers = tuple(Worker(worker.pid, f"{worker.url}/metrics") for worker in self.workers)
        data, ingress = self.folder / "data", self.ingresses[0]
        servers = Servers(self.database, Named(kafka), Named(mongodb))
        own = Named(ingress.url, ingress.pid)
        write_state(data, State("ready", os.getpid(), str(data), servers, own, workers=workers))
        # A list is written alike in JSON and TOML.
        lines = [
            f"{name} = {text if text.startswith('[') else json.dumps(text)}" for name, text in self._settings.items()
        ]
        (data / LOCAL_FILE_NAME).write_text("\n".join(lines) + "\n")


def _variable(name: str) -> str:
    """The environment's name of a setting."""
    return PREFIX + name.replace(".", "__").upper()


def _without_ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or "CACHE" in name}


def is_ready(process: Process) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{process.url}/readyz", timeout=2):
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def settings_of(kafka: str, mongodb: str, folder: Path) -> dict[str, str]:
    """Defaults wherever they can be: what an operator gets."""
    name = f"faults-{secrets.token_hex(4)}"
    tokens = ensure_issuer(folder)
    return {
        "kafka.bootstrap_servers": kafka,
        "kafka.records_topic": name,
        "kafka.analytics_topic": f"{name}-analytics",
        "kafka.group": name,
        "kafka.partitions": str(PARTITIONS),
        "kafka.replication_factor": "3",
        "mongodb.uri": mongodb,
        "mongodb.database": name,
        "signing.keys": json.dumps([secrets.token_urlsafe(24)]),
        **{f"tokens.{key}": value for key, value in tokens.items()},
    }


@contextmanager
def running(folder: Path, kafka: str, mongodb: str) -> Iterator[System]:
    """Nothing is started yet; whatever still runs at the end is killed, frozen or not."""
    (folder / "data").mkdir(parents=True)
    children = Children(folder / "logs")
    with data_lock(folder / "data"):
        try:
            yield System(children, folder, settings_of(kafka, mongodb, folder))
        finally:
            children.kill_all()
            children.close()
