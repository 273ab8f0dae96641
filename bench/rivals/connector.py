"""The MongoDB Kafka sink connector in Kafka Connect, standalone. It inserts whole bodies; it neither dedupes nor sums.

It has the settings that its manual offers for speed: plain inserts (by default it replaces by `_id`), unordered, a
whole poll in one bulk, 2,000 records a poll as in a worker's flush, headers not parsed, four times the default heap.
Its writes are as durable as a worker's.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.place import Place
from ops.config import Settings
from ops.local.downloads.complete import FETCH_SECONDS, FetchError
from ops.local.downloads.jars import COPY_JARS
from ops.local.servers.fetch import apt_install, kafka_files
from ops.local.servers.paths import KAFKA_LOGGING, cache_folder, cached
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Program
from ops.output import complain

POM = Path(__file__).parent.parent.parent / "deploy" / "bench" / "pom.xml"
MAIN = "org.apache.kafka.connect.cli.ConnectStandalone"

# Those of Kafka's own start script, with a larger heap (256 MB there).
JVM_OPTIONS = ("-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35")

COLLECTION = "records"
STRING = "org.apache.kafka.connect.storage.StringConverter"
STOP_SECONDS = 30

# One bulk, as a worker's flush. In two interleaved rounds 500 (the default) and 5,000 were slower (bench/RESULTS.md).
MAX_POLL_RECORDS = 2_000


def jars() -> Path:
    """The folder of Connect's jars, fetched through Maven if missing. Raises FetchError."""
    home = cached(cache_folder(), "connect", POM)
    if home.exists():
        return home
    if not shutil.which("mvn"):
        apt_install(("maven",), "The jars of Kafka Connect are downloaded with Maven")
    complain("Downloading the jars of Kafka Connect and the MongoDB sink (35 MB)")
    with tempfile.TemporaryDirectory(prefix="new-connect-", dir=home.parent) as folder:
        new = Path(folder) / "jars"
        command = ["mvn", "--batch-mode", "--strict-checksums", f"--file={POM}", COPY_JARS, f"-DoutputDirectory={new}"]
        ran = subprocess.run(  # noqa: S603 the command is ours
            command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
        if ran.returncode:
            raise FetchError("Maven could not fetch Connect's jars:\n" + ran.stdout[-2_000:])
        new.rename(home)
    return home


def connector(place: Place, settings: Settings, tasks: int, topic: str | None = None) -> Program:
    """Connect with this one connector, on the games topic if none is named."""
    java, home = kafka_files().java, place.folder / settings.mongodb.database
    home.mkdir()
    worker, sink = home / "worker.properties", home / "sink.properties"
    worker.write_text(_properties(_worker(place, home)))
    sink.write_text(_properties(_sink(place, settings, tasks, topic or settings.kafka.records_topic)))
    logging = f"-Dlog4j2.configurationFile={KAFKA_LOGGING}"
    command = (java, *JVM_OPTIONS, logging, "-cp", f"{jars()}/*", MAIN, str(worker), str(sink))
    return Program("connect", command, stop_seconds=STOP_SECONDS)


def _worker(place: Place, home: Path) -> Mapping[str, object]:
    return {
        "bootstrap.servers": place.kafka,
        "listeners": f"http://{LOOPBACK}:{any_free()}",
        "offset.storage.file.filename": home / "offsets",
        "key.converter": STRING,
        # The sink parses the JSON itself. Whether Connect's JsonConverter is faster is not settled (bench/RESULTS.md).
        "value.converter": STRING,
        "header.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "consumer.max.poll.records": MAX_POLL_RECORDS,
        "consumer.max.partition.fetch.bytes": 8 << 20,
        "consumer.fetch.max.bytes": 50 << 20,
    }


def _sink(place: Place, settings: Settings, tasks: int, topic: str) -> Mapping[str, object]:
    return {
        "name": settings.kafka.group,
        "connector.class": "com.mongodb.kafka.connect.MongoSinkConnector",
        "tasks.max": tasks,
        "topics": topic,
        "connection.uri": f"{place.mongodb}&w=majority&journal=true",
        "database": settings.mongodb.database,
        "collection": COLLECTION,
        "writemodel.strategy": "com.mongodb.kafka.connect.sink.writemodel.strategy.InsertOneDefaultStrategy",
        "bulk.write.ordered": "false",
        "max.batch.size": 0,
    }


def _properties(values: Mapping[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())
