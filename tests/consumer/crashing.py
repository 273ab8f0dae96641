"""A worker that ends or freezes itself: `python -m tests.consumer.crashing POINT NTH SIGNAL [WITHOUT]`.

It is put together by consumer/server.py itself; only the points are hung in. POINT is a step of consumer/mongo.py
("write": its documents are written and the transaction is open), or

    assigned   the group gave it partitions, nothing is done yet
    killed     it has ended the last owner's session
    claimed    its name is on the checkpoint
    tell       everything is committed, and the group's offset is about to be told

WITHOUT=killSessions leaves the last owner's session alone.
"""

import os
import signal
import sys
from collections.abc import Mapping

from bson import Binary
from pymongo import AsyncMongoClient

from consumer import server
from consumer.core.position import Checkpoint
from consumer.kafka import KafkaLog
from consumer.mongo import MongoStore, OnStep
from consumer.sessions import Sessions
from consumer.transactions import Document
from ops.admin import run_process
from ops.config import worker_config
from schemas.coordinates import PartitionId

NEVER = "never"


class Point:
    """Where it ends; counts down to it."""

    def __init__(self, name: str, nth: int, number: signal.Signals) -> None:
        self._name = name
        self._left = nth
        self._number = number

    def reached(self, name: str) -> None:
        if name != self._name:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._number)


def worker_that_ends_at(point: Point, *, kills_sessions: bool) -> None:
    """Hang the point into the parts that consumer/server.py takes."""

    class CrashingSessions(Sessions):
        async def succeed(self, partition: PartitionId, found: Binary | None) -> None:
            await super().succeed(partition, found)
            point.reached("killed")

        async def _kill(self, partition: PartitionId, lsid: Binary) -> None:
            if kills_sessions:
                await super()._kill(partition, lsid)

    class CrashingStore(MongoStore):
        def __init__(self, client: AsyncMongoClient[Document], database: str, on_step: OnStep) -> None:
            def step(name: str, seconds: float) -> None:
                on_step(name, seconds)
                point.reached(name)

            super().__init__(client, database, step)
            self._sessions = CrashingSessions(client)

        async def claim(self, partition: PartitionId, owner: str) -> Checkpoint:
            point.reached("assigned")
            claimed = await super().claim(partition, owner)
            point.reached("claimed")
            return claimed

    class CrashingLog(KafkaLog):
        async def commit(self, positions: Mapping[int, int]) -> None:
            if any(positions.values()):
                point.reached("tell")
            await super().commit(positions)

    vars(server).update(MongoStore=CrashingStore, KafkaLog=CrashingLog)


def main(name: str, nth: str, number: str, without: str = "") -> int:
    worker_that_ends_at(Point(name, int(nth), signal.Signals[number]), kills_sessions=without != "killSessions")
    return run_process(worker_config, server.run)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
