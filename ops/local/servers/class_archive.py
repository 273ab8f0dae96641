"""Kafka's classes as the JVM holds them in memory (class data sharing): a start then takes two thirds of the CPU.

They are kept by one short run of a broker that is thrown away. Everything works without them: what goes wrong here
leaves an empty archive, which is never used, and so isn't tried again at each start.
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

# Writing the archive is a part of its end.
STOP_SECONDS = 60


def archive_of(jars: Path, java: str) -> Path:
    """Beside the jars, named by them and by the very Java: another can't read it."""
    binary = Path(java).resolve()
    stat = binary.stat()
    version = hashlib.sha256(f"{binary} {stat.st_mtime_ns} {stat.st_size}".encode()).hexdigest()[:12]
    return jars.with_name(f"{jars.name}-classes-{version}.jsa")


def with_archive(files: KafkaFiles) -> KafkaFiles:
    """The files, with the archive if there is one of use."""
    archive = archive_of(files.jars, files.java)
    return replace(files, archive=archive) if archive.exists() and archive.stat().st_size else files


def make_archive(files: KafkaFiles) -> None:
    """Leaves an archive, if only an empty one; complete or absent."""
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
