"""mongod's CPU for one read of all checkpoints, by the number of partitions: the price of waiting requests.

    python -m bench.sizing.polling
    python -m bench.sizing.polling --partitions 12,100,1000 --reads 500

An ingress whose requests wait until they are counted reads the checkpoints of a topic up to fifty times a second, the
console every two seconds. The read is that of the ingress.
"""

import argparse
import asyncio
import time
from typing import Any

from pydantic import SecretStr
from pymongo import AsyncMongoClient

from bench.measure import cpu_seconds
from bench.place import mongods
from ingress.mongo import MongoStore
from schemas.checkpoints import fresh_checkpoint
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS
from schemas.settings import MongoSettings
from serving.outage import Outage

NAME = "polling"
LINEAGE = "r1"
# As a worker leaves it: who owns the partition, and how long records took.
USED = {"owner": "worker-1:12345", "lsid": b"x" * 16, "visible": {str(bound): 12_345 for bound in range(12)}}


async def measure(uri: str, pid: int, partitions: int, reads: int) -> None:
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        await client.drop_database(NAME)
        documents = [
            {"_id": str(PartitionId(LINEAGE, number)), **fresh_checkpoint(0), **USED} for number in range(partitions)
        ]
        await client[NAME][CHECKPOINTS].insert_many(documents)
    store = MongoStore(MongoSettings(uri=SecretStr(uri), database=NAME), Outage("mongodb"))
    assert partitions == len(await store.checkpoints((LINEAGE,)))
    own, mongod, began = time.process_time(), cpu_seconds(pid), time.perf_counter()
    for _ in range(reads):
        await store.checkpoints((LINEAGE,))
    spent = time.process_time() - own, cpu_seconds(pid) - mongod, time.perf_counter() - began
    await store.close()
    of_ingress, of_mongod, seconds = (one / reads * 1000 for one in spent)
    print(
        f"{partitions:6} partitions: mongod {of_mongod:6.2f} ms, ingress {of_ingress:6.2f} ms, {seconds:6.2f} ms a read"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partitions", type=lambda text: [int(n) for n in text.split(",")], default=[6, 60, 600, 2000])
    parser.add_argument("--reads", type=int, default=300)
    options = parser.parse_args()
    with mongods((NAME,)) as running:
        for partitions in options.partitions:
            asyncio.run(measure(running[NAME].uri, running[NAME].pid, partitions, options.reads))


if __name__ == "__main__":
    main()
