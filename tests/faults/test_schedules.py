"""Seeded schedules of load under which workers and primaries die, freeze and step down: every sum to the unit.

Run one seed again: `FAULT_FIRST=17 FAULT_SCHEDULES=1 pytest tests/faults`.
"""

import asyncio
import signal
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from tests.consumer.processes import WorkerProcess, Workers, workers
from tests.consumer.sums import Sent, assert_exact, declare, send_with, until_applied
from tests.faults.conftest import FaultyServers
from tests.faults.replica_set import ReplicaSet
from tests.faults.schedule import PARTITIONS, Step, schedule
from tests.real import place

pytestmark = pytest.mark.real

# Longer than a session, so that a frozen worker's partitions have moved on when it wakes up.
FROZEN_SECONDS = 2.5
KILLED_SECONDS = 1.0
SETTLED_SECONDS = 180.0


class Scene:
    """Two workers, a replica set, and the faults."""

    def __init__(self, started: Workers, replica_set: ReplicaSet) -> None:
        self._started = started
        self._set = replica_set
        self._mending: list[asyncio.Task[None]] = []
        self.workers = [self._start(), self._start()]

    def _start(self) -> WorkerProcess:
        return self._started.start_quick()

    async def at_work(self) -> None:
        """Both have joined: faults are for workers that are at work."""
        for worker in self.workers:
            await worker.says("partitions_assigned")

    async def do(self, step: Step) -> None:
        """Break one thing. It is repaired while the schedule continues."""
        worker = self.workers[step.worker]
        match step.fault:
            case "kill worker":
                worker.send(signal.SIGKILL)
                self.workers[step.worker] = self._start()
            case "freeze worker":
                await worker.freeze()
                self._mending.append(asyncio.create_task(_wake(worker)))
            case "kill primary":
                self._mending.append(asyncio.create_task(self._kill_primary()))
            case "step down":
                await asyncio.to_thread(self._set.step_down)

    async def _kill_primary(self) -> None:
        if killed := await asyncio.to_thread(self._set.kill_primary):
            await asyncio.sleep(KILLED_SECONDS)
            self._set.start_again(killed)

    async def mended(self) -> None:
        await asyncio.gather(*self._mending)
        await asyncio.to_thread(self._set.settle)


async def _wake(worker: WorkerProcess) -> None:
    await asyncio.sleep(FROZEN_SECONDS)
    worker.send(signal.SIGCONT)


async def run(steps: list[Step], scene: Scene, producer: AIOKafkaProducer, topic: str) -> list[Sent]:
    """Run the schedule. Returns everything that was sent."""
    sent: list[Sent] = []
    for step in steps:
        for portion, pause_seconds in step.portions:
            await send_with(producer, topic, portion)
            sent += portion
            await asyncio.sleep(pause_seconds)
        await scene.do(step)
    await scene.mended()
    return sent


@pytest.mark.timeout(600)
async def test_every_sum_is_right_after_a_schedule_of_faults(seed: int, faulty: FaultyServers, tmp_path: Path) -> None:
    """Players, buckets, ids, fates and offsets, to the unit, against what was sent."""
    print(f"seed {seed}")  # noqa: T201 the first thing to know of a failure
    async with place(faulty.servers, PARTITIONS, max_flush_records=25, max_dead_ratio=1) as where:
        await declare(where)
        with workers(tmp_path, where.settings) as started:
            scene = Scene(started, faulty.replica_set)
            await scene.at_work()
            servers = where.settings.kafka.bootstrap_servers
            async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
                sent = await run(schedule(seed), scene, producer, where.settings.kafka.records_topic)
            await until_applied(where, len(sent), SETTLED_SECONDS)
            await assert_exact(where, sent)
            assert [worker.child.exit_status() for worker in scene.workers] == [None, None]
