"""An archive of Kafka's classes for the JVM (class data sharing): a start then takes two thirds of the CPU.

One short run of a temporary broker writes it. Kafka also works without it. If writing fails, an empty archive is left:
it is not used, and it prevents another try at each start.
"""

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ops.local.servers import kafka
from ops.local.servers.paths import KafkaFiles
from ops.local.servers.ports import choose_ports
from ops.local.servers.processes import Children, NotReadyError, wait_until

# The JVM writes the archive while it stops.
STOP_SECONDS = 60


def archive_of(jars: Path, java: str) -> Path:
    """Beside the jars. Its name depends on the Java binary, because another Java can't read it."""
    binary = Path(java).resolve()
    stat = binary.stat()
    version = hashlib.sha256(f"{binary} {stat.st_mtime_ns} {stat.st_size}".encode()).hexdigest()[:12]
    return jars.with_name(f"{jars.name}-classes-{version}.jsa")


def with_archive(files: KafkaFiles) -> KafkaFiles:
    """The files, with the archive if there is one that is not empty."""
    archive = archive_of(files.jars, files.java)
    return replace(files, archive=archive) if archive.exists() and archive.stat().st_size else files


def make_archive(files: KafkaFiles) -> None:
    """Write the archive, or an empty one if that fails. It is never half written."""
    archive = archive_of(files.jars, files.java)
    with TemporaryDirectory(prefix=f"new-{archive.name}-", dir=archive.parent) as folder:
        new = Path(folder) / "archive"
        try:
            _run_once(files, Path(folder), new)
        except (NotReadyError, OSError, subprocess.SubprocessError):
            new.unlink(missing_ok=True)
        if not new.exists():
            new.touch()
        new.replace(archive)


def _run_once(files: KafkaFiles, folder: Path, archive: Path) -> None:
    port, controller_port = choose_ports((0, 0))
    place = kafka.KafkaPlace(folder / "kafka", port, controller_port)
    kafka.prepare(files, place)
    program = kafka.kafka_program(files, place, f"-XX:ArchiveClassesAtExit={archive}")
    with Children(folder / "logs") as children:
        child = children.start(replace(program, stop_seconds=STOP_SECONDS))
        wait_until(lambda: kafka.answers(place.address), child, "Kafka", seconds=kafka.START_SECONDS)
        children.stop([child])
