"""Kafka and MongoDB as containers, if a Docker engine is available.

Each container runs in the foreground in a child process, `docker run`: both end together. What a killed `docker run`
has left is removed by name before the next start. Inside and outside the container a server has the same loopback port,
because Kafka and MongoDB give clients their own address to connect to.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

from ops.local.servers import kafka, mongod
from ops.local.servers.processes import NotReadyError, Program

KAFKA_IMAGE = "apache/kafka:4.1.0"
MONGODB_IMAGE = "mongo:6.0"

ENGINE_SECONDS = 5
PULL_SECONDS = 900


def engine_answers() -> bool:
    """Whether there is a `docker` command that reaches its engine."""
    if not shutil.which("docker"):
        return False
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=ENGINE_SECONDS, check=False).returncode == 0  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False


def container_name(server: str, home: Path) -> str:
    """One container and one volume for each data folder, so that two systems can run side by side."""
    return f"tallymill-{server}-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}"


def kafka_environment(place: kafka.KafkaPlace) -> dict[str, str]:
    """server.properties as the image takes them. Kafka must also listen on the container's own address."""
    lines = (line.partition("=") for line in kafka.properties_text(place).splitlines() if line)
    environ = {"KAFKA_" + name.upper().replace(".", "_"): value for name, _, value in lines}
    listeners = environ["KAFKA_LISTENERS"].replace("CLIENT://127.0.0.1:", "CLIENT://0.0.0.0:")
    return environ | {"KAFKA_LISTENERS": listeners, "KAFKA_LOG_DIRS": "/var/lib/kafka/data"}


def kafka_program(place: kafka.KafkaPlace) -> Program:
    name = container_name("kafka", place.home)
    settings = tuple(f"--env={key}={value}" for key, value in sorted(kafka_environment(place).items()))
    options = (*_run(name, place.port, "/var/lib/kafka/data"), "--env=KAFKA_HEAP_OPTS=-Xmx512m", *settings)
    return Program("kafka", (*options, KAFKA_IMAGE), stop_seconds=kafka.STOP_SECONDS)


def mongod_program(place: mongod.MongodPlace) -> Program:
    name = container_name("mongodb", place.home)
    options = mongod.mongod_options(place.port)
    command = (*_run(name, place.port, "/data/db"), MONGODB_IMAGE, "mongod", "--bind_ip_all", *options)
    return Program("mongodb", command, stop_seconds=mongod.STOP_SECONDS)


def prepare(image: str, name: str) -> None:
    """Pull the image if it is missing (with visible progress), and remove what an earlier container has left."""
    known = _docker("image", "inspect", image, quiet=True)
    if known and _docker("pull", image, quiet=False):
        raise NotReadyError(f"Docker could not pull the image {image}. The reason is above")
    _docker("rm", "--force", name, quiet=True)


def _run(name: str, port: int, data: str) -> tuple[str, ...]:
    publish = f"--publish=127.0.0.1:{port}:{port}"
    return ("docker", "run", "--rm", f"--name={name}", publish, f"--volume={name}:{data}")


def _docker(*arguments: str, quiet: bool) -> int:
    output = subprocess.DEVNULL if quiet else None
    command = ["docker", *arguments]
    return subprocess.run(command, stdout=output, stderr=output, timeout=PULL_SECONDS, check=False).returncode  # noqa: S603
