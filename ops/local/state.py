"""The running system, for other commands: a lock that the supervisor holds, and a state file.

The lock decides whether a system runs: the kernel releases it when the supervisor ends, even after SIGKILL. The file
says what runs.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ops.errors import BadInput
from ops.private_file import write_private

LOCK_NAME = "lock"
STATE_NAME = "state.json"

# `status` takes the lock for a moment to see whether it is free. A start must not fail because of that.
LOCK_TRIES = 20
LOCK_PAUSE_SECONDS = 0.02

# With one address and one process id each.
PROCESSES = ("kafka", "mongodb", "ingress", "console", "canary", "prometheus")

Phase = Literal["starting", "ready", "stopping"]


class RunningError(Exception):
    """Another supervisor has this data folder."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One running worker process."""

    pid: int
    metrics: str


@dataclass(frozen=True, slots=True)
class Process:
    """One process with an address. Address None: not known yet. `pid` None: `up` did not start it; 0: it is down."""

    address: str | None = None
    pid: int | None = None


UNKNOWN = Process()


@dataclass(frozen=True, slots=True)
class Run:
    """Since when a process runs (ms since 1970; None: it is down), and how often it was started again."""

    since_millis: int | None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Servers:
    """Kafka and MongoDB, and the database used."""

    database: str
    kafka: Process = UNKNOWN
    mongodb: Process = UNKNOWN


@dataclass(frozen=True, slots=True)
class State:
    """The running system."""

    phase: Phase
    supervisor: int
    data: str
    servers: Servers
    ingress: Process = UNKNOWN
    console: Process = UNKNOWN
    workers: tuple[Worker, ...] = ()
    runs: Mapping[str, Run] = field(default_factory=dict)
    """By name: supervisor, kafka, worker-1 and so on. Not of servers that `up` did not start."""
    notes: tuple[str, ...] = ()
    """What the user should know of the start, a sentence each."""
    canary: Process = UNKNOWN
    """With an address only if it was started (`up --observe`); so for Prometheus."""
    prometheus: Process = UNKNOWN

    def in_phase(self, phase: Phase) -> "State":
        return replace(self, phase=phase)


def mongodb_text(servers: Servers) -> str | None:
    """Where MongoDB is, for a person."""
    return servers.mongodb.address and f"{servers.mongodb.address} (database {servers.database})"


def to_fields(state: State) -> dict[str, Any]:
    """As the state file has it, and as `up --json` and `status --json` print it: an address and a pid by name."""
    servers = state.servers
    return {
        "phase": state.phase,
        "supervisor": state.supervisor,
        "data": state.data,
        "database": servers.database,
        "kafka": servers.kafka.address,
        "mongodb": servers.mongodb.address,
        "ingress": state.ingress.address,
        "workers": [asdict(worker) for worker in state.workers],
        "kafka_pid": servers.kafka.pid,
        "mongodb_pid": servers.mongodb.pid,
        "ingress_pid": state.ingress.pid,
        "console": state.console.address,
        "console_pid": state.console.pid,
        "canary": state.canary.address,
        "canary_pid": state.canary.pid,
        "prometheus": state.prometheus.address,
        "prometheus_pid": state.prometheus.pid,
        "notes": list(state.notes),
        "runs": {name: asdict(run) for name, run in state.runs.items()},
    }


def to_json(state: State) -> str:
    return json.dumps(to_fields(state), indent=2)


def from_json(text: str) -> State:
    """Raises ValueError, TypeError or KeyError for what is not a state."""
    fields: dict[str, Any] = json.loads(text)
    found = {n: Process(fields[n], fields[f"{n}_pid"]) for n in PROCESSES}
    return State(
        fields["phase"],
        fields["supervisor"],
        fields["data"],
        Servers(fields["database"], found["kafka"], found["mongodb"]),
        found["ingress"],
        found["console"],
        tuple(Worker(**worker) for worker in fields["workers"]),
        {name: Run(**run) for name, run in fields["runs"].items()},
        tuple(fields["notes"]),
        found["canary"],
        found["prometheus"],
    )


def write_state(data: Path, state: State) -> None:
    """Replace the file at once: a reader sees the old state or the new one."""
    write_private(data / STATE_NAME, to_json(state) + "\n")


def read_state(data: Path) -> State | None:
    """The state of the running system. None if none runs, or it has not written its state yet."""
    if supervisor_pid(data) is None:
        return None
    try:
        return from_json((data / STATE_NAME).read_text())
    except (OSError, ValueError, TypeError, KeyError):
        return None


@contextmanager
def data_lock(data: Path) -> Iterator[None]:
    """The lock of the supervisor of this data folder. Raises RunningError if another process has it."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / LOCK_NAME).open("a+") as lock:
        if not _locked(lock.fileno(), tries=LOCK_TRIES):
            raise RunningError(str(data))
        (data / STATE_NAME).unlink(missing_ok=True)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def supervisor_pid(data: Path) -> int | None:
    """The process id of the running supervisor, or None. Raises BadInput if only another user may know."""
    try:
        lock = (data / LOCK_NAME).open("r+")
    except FileNotFoundError:
        return None
    except PermissionError as error:
        owner = f"The data folder {data.absolute()} is another user's"
        raise BadInput([f"{owner}. Run the command as that user, or choose another one with --data"]) from error
    with lock:
        if _locked(lock.fileno(), tries=1):
            return None
        for _ in range(LOCK_TRIES):
            lock.seek(0)
            if (text := lock.read()).isdigit():
                return int(text)
            time.sleep(LOCK_PAUSE_SECONDS)  # it has the lock and writes its id next
    return None


def _locked(descriptor: int, tries: int) -> bool:
    for left in reversed(range(tries)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(LOCK_PAUSE_SECONDS)
        else:
            return True
    return False
