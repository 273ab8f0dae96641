"""The observer: one step every STEP_SECONDS, whoever looks. A step never fails, and takes a bounded time."""

from collections.abc import Sequence

from console.observer import kafka, mongodb
from console.observer.facts import Facts, MongoFacts, Silent
from console.observer.memory import Memory
from console.observer.snapshot import STEP_SECONDS, Snapshot
from console.observer.step import nothing_yet, observe
from console.observer.topics import Topic
from serving.clock import Clock


class Observer:
    """Keeps the last snapshot. `kafka` is None without kafka.bootstrap_servers."""

    def __init__(
        self, topics: Sequence[Topic], clock: Clock, of_mongodb: mongodb.Reader, of_kafka: kafka.Reader | None
    ) -> None:
        self._topics = topics
        self._clock = clock
        self._mongodb = of_mongodb
        self._kafka = of_kafka
        self._memory = Memory()
        self.snapshot: Snapshot = nothing_yet(topics, clock.wall_millis())

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            began = self._clock.monotonic_seconds()
            await self.step()
            took = self._clock.monotonic_seconds() - began
            await self._clock.sleep(max(0, STEP_SECONDS - took))

    async def step(self) -> None:
        """Read once. Checkpoints before ends, so that no checkpoint is beyond its end."""
        of_mongodb = await self._mongodb.read()
        of_kafka = None if self._kafka is None else await self._kafka.read(self._positions(of_mongodb))
        facts = Facts(self._clock.wall_millis(), of_mongodb, of_kafka)
        self._memory, self.snapshot = observe(self._topics, self._memory, facts)

    def _positions(self, found: MongoFacts | Silent) -> dict[str, dict[int, int]]:
        """Where each topic is counted to. Without MongoDB that is not known."""
        if isinstance(found, Silent):
            return {}
        newest = {topic.name: found.newest(topic.name) for topic in self._topics}
        return {
            name: {
                number: checkpoint["next"]
                for number, checkpoint in (found.checkpoints_of(lineage["_id"]) if lineage else {}).items()
            }
            for name, lineage in newest.items()
        }
