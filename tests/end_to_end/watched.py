"""An ingress, a worker and a console on servers of one test: what they log, and what their gauges say."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.console.test_console_real import console_process, process_config
from tests.consumer.processes import workers
from tests.consumer.sums import declare
from tests.ingress.real import Running, config, ingress_process, now_millis
from tests.ingress.rig import batch, period, update
from tests.kafka.brokers import Broker, lone_broker
from tests.mongodb.own import Mongod, own_mongod
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.servers import Servers

# Between two requests to the ingress.
PAUSE_SECONDS = 0.1


@dataclass
class Watched:
    """One process."""

    name: str
    url: str
    log: Path
    dependencies: Sequence[str]
    skipped: int = 0
    """Lines of its log before the test's own."""

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged since `forget`. Fails if a line is not JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()[self.skipped :]]

    def forget(self) -> None:
        self.skipped = len(self.log.read_text().splitlines())

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines()]

    async def scraped(self, session: aiohttp.ClientSession) -> list[Metric]:
        async with session.get(f"{self.url}/metrics") as answer:
            return list(text_string_to_metric_families(await answer.text()))

    async def up(self, session: aiohttp.ClientSession) -> dict[str, float]:
        """The gauge of each of its servers."""
        name = f"tallymill_{self.name}_dependency_up"
        families = await self.scraped(session)
        return {s.labels["dependency"]: s.value for f in families if f.name == name for s in f.samples}


@dataclass
class Stage:
    """The servers, the processes on them, and clients that send all the time."""

    kafka: Broker
    mongod: Mongod
    place: Place
    ingress: Running
    session: aiohttp.ClientSession
    watched: list[Watched] = field(default_factory=list)

    async def until(self, holds: Callable[[Watched, dict[str, float]], bool]) -> float:
        """Until it holds of all processes. Returns the seconds that it took."""
        begin = time.monotonic()
        for one in self.watched:
            while not holds(one, found := await one.up(self.session)):
                assert time.monotonic() < begin + PATIENCE_SECONDS, (one.name, found, one.lines())
                await asyncio.sleep(0.1)
        return time.monotonic() - begin

    async def until_well(self) -> None:
        """Until all processes can use all servers, and each has logged that every outage is over."""
        await self.until(lambda one, up: up == dict.fromkeys([*one.dependencies], 1.0) and not _is_open(one.events()))

    async def send(self) -> None:
        """Send batches until cancelled, whatever the answers are."""
        number = 0
        while True:
            number += 1
            now = now_millis()
            body = batch(period(update(), start=now - 2_000, end=now - 1_000), request_id=number, sent_millis=now)
            with suppress(aiohttp.ClientError, TimeoutError):
                await self.ingress.post(self.session, body, prefer="respond-async")
            await asyncio.sleep(PAUSE_SECONDS)


def _is_open(events: Sequence[str]) -> bool:
    return any(events.count(f"{server}_lost") > events.count(f"{server}_back") for server in ("kafka", "mongodb"))


@contextmanager
def _processes(folder: Path, where: Place, own: Servers) -> Iterator[tuple[Running, list[Watched]]]:
    name = where.settings.kafka.records_topic
    file = folder / "console.json"
    with ExitStack() as stack:
        started = stack.enter_context(workers(folder / "workers", where.settings))
        # Longer than an outage: a member that is expelled says so, too.
        worker = started.start(worker__session_timeout_seconds=30)
        ingress = stack.enter_context(ingress_process(config(folder, own.kafka, own.mongodb, name)))
        observed = {"kafka": {"bootstrap_servers": own.kafka, "records_topic": name}}
        file.write_text(json.dumps(process_config(folder, own.mongodb, where.database.name) | observed))
        url, _ = stack.enter_context(console_process(file))
        yield (
            ingress,
            [
                Watched("ingress", ingress.url, ingress.log, ("kafka", "mongodb", "keys")),
                Watched("worker", f"http://127.0.0.1:{worker.port}", worker.child.log, ("kafka", "mongodb")),
                Watched("console", url, file.with_suffix(".log"), ("kafka", "mongodb", "keys")),
            ],
        )


@asynccontextmanager
async def stage(folder: Path, **kafka: str) -> AsyncIterator[Stage]:
    """All of it at work, every server in use. `kafka`: settings of the broker."""
    with lone_broker(folder / "broker", {}, {}, **kafka) as broker, own_mongod(folder) as mongod:
        await mongod.is_primary()
        own = Servers(broker.address(), mongod.where.uri)
        async with place(own, partitions=2) as where:
            await declare(where)
            with _processes(folder, where, own) as (ingress, watched):
                timeout = aiohttp.ClientTimeout(total=30)
                async with aiohttp.ClientSession(timeout=timeout) as session:
                    made = Stage(broker, mongod, where, ingress, session, watched)
                    sending = [asyncio.create_task(made.send()) for _ in range(3)]
                    try:
                        await made.until_well()
                        for one in watched:
                            one.forget()
                        yield made
                    finally:
                        for task in sending:
                            task.cancel()
                        await asyncio.gather(*sending, return_exceptions=True)
