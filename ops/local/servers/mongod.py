"""The local MongoDB: one mongod as a replica set of one, since transactions need a replica set."""

from dataclasses import dataclass
from pathlib import Path

from ops.local.servers.ports import LOOPBACK
from ops.local.servers.processes import Program
from schemas.mongod_risks import LIFETIME, LIFETIME_SECONDS

USUAL_PORT = 27017
REPLICA_SET = "rs0"
START_SECONDS = 60
STOP_SECONDS = 15

# A worker's flushes need a quarter of it. The default, half of the memory, leaves too little for Kafka.
CACHE_GB = "0.5"


@dataclass(frozen=True, slots=True)
class MongodPlace:
    """Where one local mongod listens and keeps its data."""

    home: Path
    port: int

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def uri(self) -> str:
        return f"mongodb://{self.address}/?replicaSet={REPLICA_SET}"


def mongod_options(port: int) -> tuple[str, ...]:
    """Options of every mongod that `up` starts."""
    return (
        *("--replSet", REPLICA_SET, "--port", str(port), "--quiet"),
        *("--wiredTigerCacheSizeGB", CACHE_GB),
        *("--setParameter", f"{LIFETIME}={LIFETIME_SECONDS}"),
        # Saves hundreds of megabytes of metrics that are not needed here.
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    )


def mongod_program(mongod: str, place: MongodPlace) -> Program:
    where = ("--bind_ip", LOOPBACK, "--dbpath", str(place.home), "--nounixsocket")
    return Program("mongodb", (mongod, *where, *mongod_options(place.port)), stop_seconds=STOP_SECONDS)
