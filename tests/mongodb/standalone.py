"""A mongod without a replica set, as one may start it by mistake: for tests that it is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymongo
from pymongo.errors import PyMongoError

from ops.local.servers.fetch import mongod_file
from ops.local.servers.mongod import CACHE_GB, START_SECONDS
from ops.local.servers.ports import LOOPBACK, choose_ports
from ops.local.servers.processes import Children, Program, wait_until


@contextmanager
def standalone_mongod(folder: Path) -> Iterator[str]:
    """Its connection string, for as long as the block lasts."""
    (port,) = choose_ports((0,))
    (folder / "standalone").mkdir()
    where = ("--bind_ip", LOOPBACK, "--port", str(port), "--dbpath", str(folder / "standalone"), "--nounixsocket")
    options = ("--quiet", "--wiredTigerCacheSizeGB", CACHE_GB)
    uri = f"mongodb://{LOOPBACK}:{port}/"
    with Children(folder / "logs") as children:
        child = children.start(Program("standalone", (mongod_file(), *where, *options)))
        wait_until(lambda: _answers(uri), child, "the standalone mongod", seconds=START_SECONDS)
        yield uri


def _answers(uri: str) -> bool:
    with pymongo.MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=500) as client:
        try:
            return bool(client.admin.command("ping"))
        except PyMongoError:
            return False
