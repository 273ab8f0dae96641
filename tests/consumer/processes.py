"""Worker processes of a test: started with a place's settings, signalled by id, gone with the test run."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.config import PREFIX, Settings, variable_of
from ops.local.servers.ports import choose_ports
from ops.local.servers.processes import Child, Children, Program, last_lines
from tests.frozen import is_frozen
from tests.patience import PATIENCE_SECONDS
from tests.samples import KEYS

_NUMBERS = itertools.count(1)
ROOT = Path(__file__).parent.parent.parent

# Settings of each worker process of a test: a short session, so that its partitions move soon.
SESSION_SECONDS = 6


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A worker that was started."""

    child: Child
    port: int

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child.pid, number)

    def said(self) -> str:
        """Its log so far."""
        return self.child.log.read_text(errors="replace")

    async def exited(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit status, once it has ended by itself; -9 is SIGKILL."""
        give_up = time.monotonic() + seconds
        while (status := self.child.exit_status()) is None:
            assert time.monotonic() < give_up, f"still running:\n{last_lines(self.child.log)}"
            await asyncio.sleep(0.02)
        return status

    async def freeze(self) -> None:
        """Stop it. Returns when all its threads have stopped."""
        self.send(signal.SIGSTOP)
        await self.frozen()

    async def frozen(self) -> None:
        """Until all its threads have stopped."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not is_frozen(self.child.pid):
            assert time.monotonic() < give_up, f"never froze:\n{last_lines(self.child.log)}"
            await asyncio.sleep(0.02)

    async def says(self, words: str, times: int = 1) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while self.said().count(words) < times:
            assert time.monotonic() < give_up, f"never said {words!r}:\n{last_lines(self.child.log)}"
            await asyncio.sleep(0.02)


class Workers:
    """Starts workers in a place. Variables are settings by their dotted names: `{"worker.max_flush_records": 7}`."""

    def __init__(self, children: Children, settings: Settings) -> None:
        self._children = children
        self._settings = settings

    def start(self, **settings: object) -> WorkerProcess:
        """`tallymill worker`. Settings are named with two underscores for the dot."""
        return self._start(("ops", "worker"), settings)

    def start_quick(self) -> WorkerProcess:
        """A worker whose partitions move two seconds after its death. The broker must allow that."""
        return self._start(("tests.consumer.crashes.quick",), {})

    def start_crashing(
        self, point: str, nth: int = 1, number: signal.Signals = signal.SIGKILL, without: str = "", **settings: object
    ) -> WorkerProcess:
        """A worker that sends itself `number` when it comes to `point` for the nth time."""
        return self._start(("tests.consumer.crashes.crashing", point, str(nth), number.name, without), settings)

    def _start(self, command: tuple[str, ...], more: dict[str, object]) -> WorkerProcess:
        (port,) = choose_ports((0,))
        given = self._settings
        own = {
            "kafka.bootstrap_servers": given.kafka.bootstrap_servers,
            "kafka.records_topic": given.kafka.records_topic,
            "kafka.analytics_topic": given.kafka.analytics_topic,
            "kafka.group": given.kafka.group,
            "mongodb.uri": given.mongodb.uri.get_secret_value() if given.mongodb.uri else "",
            "mongodb.database": given.mongodb.database,
            "signing.keys": f'["{KEYS.keys[0].decode()}"]',
            "worker.apis": json.dumps(given.worker.apis),
            "worker.metrics_port": port,
            "worker.session_timeout_seconds": SESSION_SECONDS,
            "worker.max_flush_records": given.worker.max_flush_records,
            "worker.max_dead_ratio": given.worker.max_dead_ratio,
            "worker.max_backoff_seconds": 1,
        } | {name.replace("__", "."): value for name, value in more.items()}
        environ = {variable_of(name): str(value) for name, value in own.items()} | {"PYTHONPATH": str(ROOT)}
        assert all(name.startswith((PREFIX, "PYTHONPATH")) for name in environ)
        name = f"worker-{next(_NUMBERS)}"
        return WorkerProcess(self._children.start(Program(name, (sys.executable, "-m", *command), environ)), port)


@contextmanager
def workers(folder: Path, settings: Settings) -> Iterator[Workers]:
    """Whatever still runs at the end is killed, frozen or not."""
    children = Children(folder)
    try:
        yield Workers(children, settings)
    finally:
        children.kill_all()
        children.close()
