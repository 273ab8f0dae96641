"""What the recounts of both topics need: settings, MongoDB and its snapshot, the log."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from ops.config import Settings
from ops.connect import kafka_consumer
from ops.verify.fates import Fates
from ops.verify.reading import LogRecord
from ops.verify.report import Difference, Differences, Range, checkpoint_compared
from ops.verify.sources import Database, Snapshot, fates_of, records_of, sizes_of
from schemas.requirements import remembered_seconds
from schemas.settings import APIS, Api


@dataclass(frozen=True, slots=True)
class Context:
    """The context of one run of `verify`."""

    settings: Settings
    db: Database
    snapshot: Snapshot
    differences: Differences
    now_millis: int

    async def records(self, covered: Range) -> AsyncIterator[list[LogRecord]]:
        """The records of a range, in batches."""
        if covered.first == covered.next:
            return
        partition = int(covered.partition.rpartition("/")[2])
        async with kafka_consumer(self.settings) as consumer:
            sizes = sizes_of(self.settings.limits, self._api(covered.topic))
            async for records in records_of(consumer, covered.topic, partition, covered.first, covered.next, sizes):
                yield records

    def _api(self, topic: str) -> Api | None:
        """None for a topic that the settings no longer name."""
        return next((api for api in APIS if self.settings.kafka.topic(api) == topic), None)

    async def stored_fates(self, covered: Range, records: Sequence[LogRecord]) -> list[str | None]:
        """The fate of each record by `exceptions`; None if its document may have expired."""
        fates = await fates_of(self.db, covered.partition, [record.offset for record in records])
        since_millis = self.now_millis - remembered_seconds(self.settings.kafka, self.settings.limits) * 1000
        return [fates.get(one.offset, "applied" if one.time_millis > since_millis else None) for one in records]

    def checkpoints_compared(self, ranges: Sequence[Range], fates: Fates) -> Iterator[Difference]:
        for covered, tally in zip(ranges, fates.tallies, strict=True):
            yield from checkpoint_compared(covered, tally, self.snapshot.checkpoints[covered.partition])
