"""Paths: the files in deploy/, and the cache folder of the servers' files."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ops
from ops.local.downloads.complete import FetchError

DEPLOY = Path(ops.__file__).parent.parent / "deploy"
SHIPPED = DEPLOY / "local"
PROMETHEUS = DEPLOY / "prometheus"
POM = SHIPPED / "pom.xml"
MONGOD_PIN = SHIPPED / "mongod.txt"
JRE_PIN = SHIPPED / "jre.txt"
KAFKA_PIN = SHIPPED / "kafka.txt"
MAVEN_CLIENT_PIN = SHIPPED / "maven-client.txt"
KAFKA_PROPERTIES = SHIPPED / "server.properties"
KAFKA_LOGGING = SHIPPED / "log4j2.properties"
DEMO_DEFINITIONS = SHIPPED / "demo.yaml"


@dataclass(frozen=True, slots=True)
class KafkaFiles:
    """The files that the local Kafka runs from."""

    java: str
    jars: Path
    archive: Path | None = None  # of the jars' classes (class_archive.py)


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of all downloads. ops/bootstrap.sh computes the same path. Raises FetchError."""
    if named := environ.get("TALLYMILL_CACHE"):
        return Path(named)
    if base := environ.get("XDG_CACHE_HOME"):
        return Path(base) / "tallymill"
    try:
        return Path.home() / ".cache" / "tallymill"
    except RuntimeError:
        raise FetchError("This user has no home folder. Set TALLYMILL_CACHE to a folder for downloads") from None


def cached(cache: Path, name: str, pin: Path) -> Path:
    """The folder of one download.

    Its name depends on the pin: a changed pin is downloaded again, and an existing folder has the right content.
    """
    return cache / f"{name}-{hashlib.sha256(pin.read_bytes()).hexdigest()[:12]}"
