"""When the oldest uncounted record of each lagging partition was accepted: one fetch a broker, of bounded size.

The time of a record never changes, so a partition whose checkpoint stands still is asked for once.
"""

import asyncio
from collections.abc import Mapping
from functools import partial

from console.observer.brokers import Brokers, Leaders
from console.observer.requests import Partition, fetch_request, times_of

# Of the whole search, so that a broker that is slow to read its disk delays no step for long.
SEARCH_SECONDS = 1.5

# Rounds: bytes of each partition, and how many partitions to ask for. The batches of a busy topic are smaller than the
# first. Larger ones come whole if their partition is the first of a request.
ROUNDS = ((64 * 1024, 200), (1024 * 1024, 16), (1024 * 1024, 1), (1024 * 1024, 1))
MOST_BYTES = 16 * 1024 * 1024


class OldestRecords:
    """The times that were found, by partition, each with its offset."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._known: dict[Partition, tuple[int, int]] = {}

    async def find(self, leaders: Leaders, offsets: Mapping[Partition, int]) -> dict[Partition, int]:
        """The time (ms) of the record at each offset, of the partitions whose leader answers in time."""
        self._known = {one: known for one, known in self._known.items() if offsets.get(one) == known[0]}
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                for partition_bytes, most in ROUNDS:
                    missing = [one for one in offsets if one not in self._known][:most]
                    if not missing:
                        break
                    await self._ask(leaders, {one: offsets[one] for one in missing}, partition_bytes)
        except TimeoutError:
            pass
        return {one: millis for one, (_, millis) in self._known.items()}

    async def _ask(self, leaders: Leaders, offsets: Mapping[Partition, int], partition_bytes: int) -> None:
        request = partial(_request, offsets, partition_bytes)
        for answer in await self._brokers.ask_leaders(leaders, offsets, request):
            found = times_of(answer, offsets)
            self._known |= {one: (offsets[one], millis) for one, millis in found.items()}

    def forget(self) -> None:
        """A topic of this name may be another one by now."""
        self._known.clear()


def _request(offsets: Mapping[Partition, int], partition_bytes: int, partitions: list[Partition]) -> object:
    return fetch_request({one: offsets[one] for one in partitions}, partition_bytes, MOST_BYTES)
