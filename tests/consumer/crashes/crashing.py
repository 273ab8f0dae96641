"""A worker that ends or freezes itself: `python -m tests.consumer.crashes.crashing [API:]POINT NTH SIGNAL [WITHOUT]`.

consumer/server.py assembles it; only the points are added. POINT is a step of consumer/mongo/store.py ("write": its
documents are written and the transaction is open), or

    assigned   the group has assigned partitions, and nothing was done with them
    killed     it has ended the last owner's session
    claimed    its name is on the checkpoint
    tell       everything is committed, and the group's offset is about to be committed

The worker of API's topic (games by default) reaches the point. The other API's worker continues until then.
WITHOUT=killSessions does not end the last owner's session.
"""

import os
import signal
import sys
from collections.abc import Mapping

from pymongo import AsyncMongoClient

from consumer import server
from consumer.core.position import Checkpoint
from consumer.kafka.reader import KafkaSource
from consumer.mongo.sessions import LeftSession, Sessions
from consumer.mongo.store import MongoStore, OnStep
from consumer.mongo.transactions import Document
from consumer.ports import TopicIdentity
from ops.config import variable_of, worker_config
from ops.run import run_process
from schemas.coordinates import PartitionId
from serving.mongodb.watch import MongoWatch

NEVER = "never"


class Point:
    """Where it ends; counts down to it."""

    def __init__(self, name: str, nth: int, number: signal.Signals) -> None:
        api, _, self._name = name.rpartition(":")
        self._topic = topic_of(api or "games")
        self._left = nth
        self._number = number

    def reached(self, name: str, topic: str) -> None:
        if (name, topic) != (self._name, self._topic):
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._number)


def topic_of(api: str) -> str:
    return os.environ[variable_of("kafka.analytics_topic" if api == "analytics" else "kafka.records_topic")]


def worker_that_ends_at(point: Point, *, kills_sessions: bool) -> None:
    """Hang the point into the parts that consumer/server.py takes."""

    class CrashingSessions(Sessions):
        topic = ""

        async def kill_left(self, partition: PartitionId, found: LeftSession | None) -> None:
            await super().kill_left(partition, found)
            point.reached("killed", self.topic)

        async def _kill(self, partition: PartitionId, left: LeftSession) -> None:
            if kills_sessions:
                await super()._kill(partition, left)

    class CrashingStore(MongoStore):
        def __init__(
            self, client: AsyncMongoClient[Document], database: str, on_step: OnStep, watch: MongoWatch | None = None
        ) -> None:
            def step(name: str, seconds: float) -> None:
                on_step(name, seconds)
                point.reached(name, sessions.topic)

            super().__init__(client, database, step, watch)
            self._sessions = sessions = CrashingSessions(client)
            self._ours = sessions

        async def lineage(self, topic: TopicIdentity) -> str:
            self._ours.topic = topic.topic
            return await super().lineage(topic)

        async def claim(self, partition: PartitionId, owner: str) -> Checkpoint:
            point.reached("assigned", self._ours.topic)
            claimed = await super().claim(partition, owner)
            point.reached("claimed", self._ours.topic)
            return claimed

    class CrashingLog(KafkaSource):
        async def commit(self, positions: Mapping[int, int]) -> None:
            if any(positions.values()):
                point.reached("tell", self._topic)
            await super().commit(positions)

    vars(server).update(MongoStore=CrashingStore, KafkaSource=CrashingLog)


def main(name: str, nth: str, number: str, without: str = "") -> int:
    worker_that_ends_at(Point(name, int(nth), signal.Signals[number]), kills_sessions=without != "killSessions")
    return run_process("worker", worker_config, server.run)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
