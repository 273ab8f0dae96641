"""The hostile clients and producers of a soak, as a separate process: `python -m tests.soak.attack PLAN`.

Bounded: acts a second, connections at a time, seconds of each, bytes read, and this process's memory. Everything goes
to loopback. Prints the results of each kind as JSON.
"""

import asyncio
import json
import os
import re
import resource
import socket
import struct
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from aiokafka.errors import KafkaError

from ops.config import FILE_VARIABLE, LOCAL_FILE_NAME, load_settings
from ops.tokens.token import make_token
from schemas.games.scopes import GAMES_SCOPE
from tests.soak.acts import Act, Hear, Pause, Produce, RawRecord, Reset, Send, Talk, Transact
from tests.soak.bodies import Caller
from tests.soak.grammar import acts, chosen
from tests.soak.kafka_raw import Producers
from tests.soak.records import APP

MAX_CONNECTIONS = 600
MAX_ACTS = 100
ACT_SECONDS = 30.0
# Silence after an answer that ends the listening: no connection is held for nothing.
QUIET_SECONDS = 0.3
HEARD_BYTES = 1 << 18
MEMORY_BYTES = 3 << 30
# A process that is less urgent than what it attacks: in life it runs elsewhere.
NICE = 5
# Loopback has many addresses: hostile clients share none with honest ones.
ADDRESSES = tuple(f"127.0.0.{number}" for number in range(2, 22))
ABANDON_AFTER_SECONDS = 2.0

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    data: str
    """Folder of the system."""
    seed: int
    kinds: str
    seconds: float
    acts_a_second: float
    honest_app: str
    targets: dict[str, int]
    """Ports."""


class Attack:
    """One run."""

    def __init__(self, plan: Plan, producers: Producers) -> None:
        self.came_of: dict[str, Counter[str]] = defaultdict(Counter)
        self._plan = plan
        self._producers = producers
        self._connections = asyncio.Semaphore(MAX_CONNECTIONS)
        self._acts = asyncio.Semaphore(MAX_ACTS)
        self._transaction = asyncio.Lock()
        self._address = count()

    async def run(self, who: Caller) -> None:
        """Each act at its time, if there is room for it."""
        start = time.monotonic()
        every = acts(self._plan.seed, chosen(self._plan.kinds), who)
        async with asyncio.TaskGroup() as tasks:
            for number in range(int(self._plan.seconds * self._plan.acts_a_second)):
                due = start + number / self._plan.acts_a_second
                await asyncio.sleep(max(0, due - time.monotonic()))
                await self._acts.acquire()
                if time.monotonic() > start + self._plan.seconds:
                    self._acts.release()
                    break
                tasks.create_task(self._do(*next(every)))

    async def _do(self, kind: str, act: Act) -> None:
        came_of = self.came_of[kind]
        came_of["acts"] += 1
        try:
            async with asyncio.timeout(ACT_SECONDS):
                match act:
                    case Talk():
                        await asyncio.gather(*(self._talk(act, came_of) for _ in range(act.copies)))
                    case Produce():
                        await self._producers.produce(act)
                        came_of["batches"] += 1
                    case Transact():
                        await self._transact(act)
                        came_of[act.ending] += 1
        except (KafkaError, TimeoutError) as error:
            came_of[type(error).__name__] += 1
        finally:
            self._acts.release()

    async def _transact(self, act: Transact) -> None:
        async with self._transaction:
            try:
                await self._producers.begin(act)
                await asyncio.sleep(act.open_seconds)
                await self._producers.end(act)
            except KafkaError:
                await self._producers.begin_anew()
                raise

    async def _talk(self, act: Talk, came_of: Counter[str]) -> None:
        address = ADDRESSES[next(self._address) % len(ADDRESSES)]
        heard = bytearray()
        async with self._connections:
            came_of["connections"] += 1
            try:
                port = self._plan.targets[act.target]
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
                try:
                    for step in act.steps:
                        await _take(step, reader, writer, heard)
                finally:
                    await _closed(writer)
            except OSError as error:
                came_of[type(error).__name__] += 1
        statuses = [status.decode() for status in _STATUS.findall(heard)]
        came_of.update(statuses or (["no answer"] if isinstance(act.steps[-1], Hear) else []))


async def _closed(writer: asyncio.StreamWriter) -> None:
    """In order if the server reads the rest, otherwise not."""
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), QUIET_SECONDS)
    except TimeoutError:
        writer.transport.abort()


async def _take(
    step: Send | Pause | Hear | Reset, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray
) -> None:
    match step:
        case Send(data):
            writer.write(data)
            await writer.drain()
        case Pause(seconds):
            await asyncio.sleep(seconds)
        case Hear(seconds):
            await _hear(reader, seconds, heard)
        case Reset():
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()


async def _hear(reader: asyncio.StreamReader, seconds: float, heard: bytearray) -> None:
    give_up = time.monotonic() + seconds
    while len(heard) < HEARD_BYTES and (left := give_up - time.monotonic()) > 0:
        try:
            data = await asyncio.wait_for(reader.read(65_536), min(left, QUIET_SECONDS) if heard else left)
        except TimeoutError:
            return
        if not data:
            return
        heard += data


async def attack(plan: Plan) -> None:
    settings = load_settings({FILE_VARIABLE: str(Path(plan.data) / LOCAL_FILE_NAME)})
    kafka = settings.kafka
    producers = Producers(
        kafka.bootstrap_servers or "", {"games": kafka.records_topic, "analytics": kafka.analytics_topic}
    )
    await producers.start()
    who = Caller(
        player=make_token(settings, APP, "mallory", [GAMES_SCOPE]),
        anonymous=make_token(settings, APP, "nobody", [], anonymous=True),
        stranger=make_token(settings, plan.honest_app, "stranger", [], anonymous=True),
        now_millis=time.time_ns() // 1_000_000,
    )
    running = Attack(plan, producers)
    await running.run(who)
    if "transactions" in chosen(plan.kinds):
        await _abandon(producers)
    print(json.dumps(running.came_of), flush=True)  # noqa: T201 the report is for the process that started this one
    os._exit(0)  # with the transaction open, as a producer that is killed


async def _abandon(producers: Producers) -> None:
    """A transaction that its producer never ends: the broker does, by its time limit."""
    await asyncio.sleep(ABANDON_AFTER_SECONDS)
    record = RawRecord(f"{APP}/left".encode(), b"never committed")
    with suppress(KafkaError):
        await producers.begin(Transact((Produce("games", 0, (record,)), Produce("analytics", 0, (record,))), "abort"))


def main(plan: str) -> None:
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    asyncio.run(attack(Plan(**json.loads(plan))))


def words(plan: Plan) -> list[str]:
    """The command that runs a plan."""
    return [sys.executable, "-m", "tests.soak.attack", json.dumps(asdict(plan))]


if __name__ == "__main__":
    main(sys.argv[1])
