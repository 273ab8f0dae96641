"""Where things lie: the files that ship with us, and the cache folder of the servers' files."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ops

SHIPPED = Path(ops.__file__).parent.parent / "deploy" / "local"
POM = SHIPPED / "pom.xml"
MONGOD_PIN = SHIPPED / "mongod.txt"
JRE_PIN = SHIPPED / "jre.txt"
KAFKA_PROPERTIES = SHIPPED / "server.properties"
KAFKA_LOGGING = SHIPPED / "log4j2.properties"
DEMO_DEFINITIONS = SHIPPED / "demo.yaml"


@dataclass(frozen=True, slots=True)
class KafkaFiles:
    """What it takes to run the local Kafka."""

    java: str
    jars: Path
    archive: Path | None = None  # of the jars' classes (class_archive.py)


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of everything fetched; ops/bootstrap.sh computes the same."""
    if named := environ.get("TALLYMILL_CACHE"):
        return Path(named)
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tallymill"


def cached(cache: Path, name: str, pin: Path) -> Path:
    """The folder of one fetched thing.

    Named by what pins it, so that a changed pin is fetched anew and a folder that exists is whole and right.
    """
    return cache / f"{name}-{hashlib.sha256(pin.read_bytes()).hexdigest()[:12]}"
