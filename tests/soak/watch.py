"""A system is watched while it is attacked: its processes, their memory, its probes, its lag, its logs."""

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from ops.config import Settings
from ops.connect import kafka_consumer
from ops.load.check import Database
from ops.local.state import State, read_state
from schemas.documents import CHECKPOINTS, LINEAGES
from tests.soak.json_texts import CANARY

# What one process may take at its peak: bodies and records of the sizes allowed, several at once, and the rest.
MAX_RSS_MB = 600

PROBE_SECONDS = 1.0
# A probe of an orchestrator has a time limit of seconds.
PROBE_LIMIT_SECONDS = 5.0
# Shorter where one bisects, and knows that it will not come.
LAG_SECONDS = float(os.environ.get("SOAK_LAG_SECONDS", "120"))
OUR_LOGS = ("ingress", "console", "worker-", "supervisor")

_LAG = re.compile(r"^tallymill_(?:worker|partition)_lag_records(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


def processes(state: State) -> dict[str, int]:
    workers = {f"worker-{number}": worker.pid for number, worker in enumerate(state.workers, 1)}
    return {"ingress": state.ingress.pid or 0, "console": state.console.pid or 0, **workers}


def peak_mb(pid: int) -> int:
    """The most memory it has ever had resident (proc(5), VmHWM); 0 where it is gone."""
    try:
        found = re.search(r"^VmHWM:\s+([0-9]+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) // 1024 if found else 0


async def get(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    """Status and text; 0 where there was no answer in time."""
    try:
        async with session.get(url) as answer:
            return answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return 0, ""


@dataclass(slots=True)
class Watch:
    """Made when the system is ready."""

    data: Path
    before: State
    probe_seconds: list[float] = field(default_factory=list)
    probes_failed: int = 0
    seen: set[tuple[str, int]] = field(default_factory=set)
    """Every process that was there at one time or another."""

    @property
    def probes(self) -> dict[str, str]:
        workers = {f"worker-{n}": w.metrics.replace("/metrics", "") for n, w in enumerate(self.before.workers, 1)}
        return {"ingress": self.before.ingress.address or "", **workers}

    async def keep(self) -> None:
        """Ask /livez of the ingress once a second, on a new connection as probes do, until cancelled."""
        while True:
            began = time.monotonic()
            async with _session() as session:
                status, _ = await get(session, f"{self.before.ingress.address}/livez")
            self.probe_seconds.append(time.monotonic() - began)
            self.probes_failed += status != 200
            self._look()
            await asyncio.sleep(max(0, began + PROBE_SECONDS - time.monotonic()))

    def _look(self) -> None:
        if state := read_state(self.data):
            self.seen |= set(processes(state).items())

    def peaks_mb(self) -> dict[str, int]:
        return {name: peak_mb(pid) for name, pid in processes(self.before).items()}

    def problems(self) -> Iterator[str]:
        """Restarts and memory."""
        self._look()
        others = Counter(name for name, pid in self.seen - set(processes(self.before).items()) if pid)
        for name, count in sorted(others.items()):
            yield f"{name} was started again, {count} times or more"
        for name, megabytes in self.peaks_mb().items():
            if megabytes > MAX_RSS_MB:
                yield f"{name} had {megabytes} MB resident, more than {MAX_RSS_MB}"
        for log in self._logs():
            if CANARY in log.read_text(errors="replace"):
                yield f"{log.name} holds a customer's data"

    def _logs(self) -> list[Path]:
        return [log for log in sorted((self.data / "logs").glob("*.log")) if log.name.startswith(OUR_LOGS)]

    async def settled(self, settings: Settings, db: Database) -> tuple[float, list[str]]:
        """Wait until nothing lags and every process is alive. Returns the seconds, and what is still wrong."""
        began = time.monotonic()
        async with _session() as session, kafka_consumer(settings) as consumer:
            while problems := [
                *[problem async for problem in self._unsettled(session)],
                *[problem async for problem in _behind(consumer, db)],
            ]:
                if time.monotonic() - began > LAG_SECONDS:
                    break
                await asyncio.sleep(PROBE_SECONDS)
        return time.monotonic() - began, problems

    async def _unsettled(self, session: aiohttp.ClientSession) -> AsyncIterator[str]:
        for name, url in self.probes.items():
            status, _ = await get(session, f"{url}/livez")
            if status != 200:
                yield f"/livez of {name} is {status or 'without an answer'}"
            if name.startswith("worker"):
                _, text = await get(session, f"{url}/metrics")
                lags = [float(lag) for lag in _LAG.findall(text)]
                if not lags:
                    yield f"{name} tells no lag"
                elif sum(lags):
                    yield f"{name} lags by {sum(lags):g} records"


async def _behind(consumer: AIOKafkaConsumer, db: Database) -> AsyncIterator[str]:
    """Records that can be read and are not applied, by Kafka and the checkpoints: a stopped worker reports no lag."""
    topics = {one["_id"]: one["topic"] async for one in db[LINEAGES].find()}
    async for checkpoint in db[CHECKPOINTS].find():
        lineage, _, number = checkpoint["_id"].partition("/")
        partition = TopicPartition(topics[lineage], int(number))
        # Of committed records alone: the last stable offset.
        end = (await consumer.end_offsets([partition]))[partition]
        if end > checkpoint["next"]:
            why = f": {stopped[:200]}" if (stopped := checkpoint.get("stopped")) else ""
            yield f"{checkpoint['_id']} stands at {checkpoint['next']}, its log ends at {end}{why}"


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PROBE_LIMIT_SECONDS))
