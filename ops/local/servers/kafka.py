"""The local Kafka: one KRaft node run from its jars."""

import os
import socket
import string
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ops.local.servers.paths import KAFKA_LOGGING, KAFKA_PROPERTIES, KafkaFiles
from ops.local.servers.ports import LOOPBACK
from ops.local.servers.processes import NotReadyError, Program
from ops.private_file import private_folder

USUAL_PORT = 9092
USUAL_CONTROLLER_PORT = 9093

# A broker this small starts in a few seconds; a busy two-core machine has been seen to take twenty.
START_SECONDS = 90
FORMAT_SECONDS = 60
STOP_SECONDS = 10
ANSWER_SECONDS = 2

# Serial GC and the first compiler only: a third less memory, and a start in half the time. Without UsePerfData no file
# is left in the folder for temporary files.
JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")

# With the locale C, Java reads no path that has other letters than ASCII.
JAVA_ENVIRON = {"LC_ALL": "C.UTF-8"}

# What a properties file holds as it is.
_PLAIN = frozenset(string.ascii_letters + string.digits + string.punctuation + " ") - {"\\"}

_METADATA_API = 3


@dataclass(frozen=True, slots=True)
class KafkaPlace:
    """Where one local Kafka listens and keeps its data."""

    home: Path
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def properties(self) -> Path:
        return self.home / "server.properties"

    @property
    def log_dir(self) -> Path:
        return self.home / "log"


def properties_text(place: KafkaPlace) -> str:
    """server.properties with this place's ports and folder."""
    template = Template(KAFKA_PROPERTIES.read_text())
    log_dir = escaped(str(place.log_dir.resolve()))
    body = "\n".join(line for line in template.template.splitlines() if not line.startswith("#"))
    return Template(body).substitute(port=place.port, controller_port=place.controller_port, log_dir=log_dir) + "\n"


def escaped(text: str) -> str:
    """For a properties file, which Java reads as Latin-1: a backslash is an escape, and begins those of all others."""
    units = struct.iter_unpack(">H", text.encode("utf-16-be"))
    return "".join(chr(unit) if chr(unit) in _PLAIN else f"\\u{unit:04x}" for (unit,) in units)


def java_command(files: KafkaFiles, main: str, *arguments: str, options: tuple[str, ...] = ()) -> tuple[str, ...]:
    """One of Kafka's own commands."""
    if files.archive:
        options = (*options, f"-XX:SharedArchiveFile={files.archive}")
    logging = f"-Dlog4j2.configurationFile={KAFKA_LOGGING}"
    return (files.java, *JVM_OPTIONS, *options, logging, "-cp", f"{files.jars}/*", main, *arguments)


def format_command(files: KafkaFiles, place: KafkaPlace, cluster_id: str) -> tuple[str, ...]:
    tool = "kafka.tools.StorageTool"
    # One word: an id may begin with '-', which alone would be taken for an option.
    return java_command(files, tool, "format", f"--cluster-id={cluster_id}", "--config", str(place.properties))


def kafka_program(files: KafkaFiles, place: KafkaPlace, *options: str) -> Program:
    # Kafka's codecs unpack libraries into it, and a killed broker leaves them.
    unpacked = f"-Djava.io.tmpdir={place.home}"
    command = java_command(files, "kafka.Kafka", str(place.properties), options=(unpacked, *options))
    return Program("kafka", command, JAVA_ENVIRON, stop_seconds=STOP_SECONDS)


def new_cluster_id() -> str:
    """A cluster id as Kafka makes them: 16 random bytes, URL-safe base64 without padding."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def prepare(files: KafkaFiles, place: KafkaPlace) -> None:
    """Write the properties (ports may differ from last time), and format the storage if it never was."""
    private_folder(place.home)
    place.properties.write_text(properties_text(place))
    if (place.log_dir / "meta.properties").exists():
        return
    command = format_command(files, place, new_cluster_id())
    ran = subprocess.run(  # noqa: S603 our own command
        command,
        capture_output=True,
        text=True,
        timeout=FORMAT_SECONDS,
        check=False,
        env={**os.environ, **JAVA_ENVIRON},
    )
    if ran.returncode:
        raise NotReadyError(f"Kafka could not format its storage:\n{ran.stdout}{ran.stderr}")


def answers(address: str) -> bool:
    """Whether a broker there takes requests and knows itself to be part of a cluster.

    Asked with one Metadata request (version 1, no topics) in plain bytes: a listening port does not show that, and a
    client library would retry and log instead of answering no.
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(metadata_request())
            (length,) = struct.unpack(">i", _read_exactly(connection, 4))
            return brokers_in(_read_exactly(connection, length)) > 0
    except (OSError, EOFError):
        return False


def metadata_request() -> bytes:
    client = b"tallymill"
    body = struct.pack(f">hhih{len(client)}si", _METADATA_API, 1, 1, len(client), client, 0)
    return struct.pack(">i", len(body)) + body


def brokers_in(response: bytes) -> int:
    """The number of brokers a Metadata response (version 1) lists: after the correlation id, an array's length."""
    brokers: int = struct.unpack_from(">i", response, 4)[0]
    return brokers


def _read_exactly(connection: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts
