"""The most that one pool may store, in the smallest MongoDB there is: one transaction takes it."""

from collections.abc import Iterator

import pytest
from pymongo import AsyncMongoClient

from consumer.core.analytics.decode import Pool
from consumer.core.decode import decode_analytics
from consumer.core.flush import Flush
from consumer.mongo.store import MongoStore
from ops.local.servers.fetch import mongod_file
from ops.local.servers.mongod import MongodPlace, mongod_program
from ops.local.servers.ports import any_free
from ops.local.servers.processes import Children, Program
from ops.local.servers.stack import wait_for_mongod
from schemas.coordinates import PartitionId
from tests.consumer.flushes import apply_flush
from tests.ingress.hostile.test_bodies_real import largest
from tests.samples import KEYS, sealed_pool

pytestmark = pytest.mark.real

# mongod's minimum.
SMALLEST_CACHE_GB = "0.25"


@pytest.fixture(scope="module")
def small_mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A mongod with hardly any memory."""
    folder = tmp_path_factory.mktemp("small")
    where = MongodPlace(folder / "mongodb", any_free())
    where.home.mkdir()
    program = mongod_program(mongod_file(), where)
    command = list(program.command)
    command[command.index("--wiredTigerCacheSizeGB") + 1] = SMALLEST_CACHE_GB
    with Children(folder / "logs") as children:
        child = children.start(Program(program.name, tuple(command)))
        wait_for_mongod(where.address, child, None)
        yield where.uri


async def test_b10_the_largest_pool_there_is_fits_one_transaction_of_the_smallest_mongod(small_mongodb: str) -> None:
    """10,000 events, each in another hour: 24 MiB by the measure that ingress and worker share."""
    record = sealed_pool(0, largest())
    decoded = decode_analytics(record, KEYS)
    assert isinstance(decoded, Pool)
    flush = Flush(PartitionId("r1", 0), 0, [record], [decoded])
    async with AsyncMongoClient[dict[str, object]](small_mongodb, tz_aware=True) as client:
        store = MongoStore(client, "stored", lambda _, __: None)
        await store.claim(flush.partition, "test")
        written = await apply_flush(store, flush, api="analytics")
        assert 10_000 == len(written.events.by_id) == await client["stored"]["events"].count_documents({})
