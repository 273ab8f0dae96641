"""The one way to connect to Kafka: what every client of it is made with, and its errors in plain words.

- Metadata is asked for without creating topics. A broker that may create them (auto.create.topics.enable, Kafka's
  default) would make them with its own defaults, one partition and the client's time, before `init` does.
- New brokers and partitions are known within METADATA_MAX_AGE_MILLIS.
- A request that a silent broker holds ends by its time-out, and the client asks another.
"""

import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiokafka.helpers import create_ssl_context
from aiokafka.protocol.metadata import MetadataRequest

from schemas.settings import KafkaSettings
from serving.kafka.words import UnusableFile, why

__all__ = ["METADATA_MAX_AGE_MILLIS", "REQUEST_TIMEOUT_MILLIS", "UnusableFile", "client_options", "why"]

# Partitions that are added to a topic are read within this. The client's default of five minutes would be as long as
# records of a new partition wait uncounted.
METADATA_MAX_AGE_MILLIS = 30_000

# A broker that is there answers within a second. The client's default of 40 s is how long a frozen one is waited for.
REQUEST_TIMEOUT_MILLIS = 10_000


def client_options(
    kafka: KafkaSettings, client_id: str = "tallymill", request_timeout_ms: int = REQUEST_TIMEOUT_MILLIS
) -> dict[str, Any]:
    """What each of aiokafka's clients is made with. Raises UnusableFile."""
    never_create_topics()
    return {
        **kafka.client_options(),
        "ssl_context": tls_context(kafka),
        "client_id": client_id,
        "request_timeout_ms": request_timeout_ms,
        "metadata_max_age_ms": METADATA_MAX_AGE_MILLIS,
    }


def never_create_topics() -> None:
    """Make all of aiokafka's clients ask for metadata without creating topics.

    None of them has an option for it. They all build MetadataRequest(topics), whose own default is to create.
    """
    MetadataRequest.__init__.__defaults__ = (None, False)


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """What to encrypt with; None for a protocol without TLS. Read anew when a file has changed: they are renewed.

    Raises UnusableFile.
    """
    if not kafka.security_protocol.endswith("SSL"):
        return None
    files = {name: getattr(kafka, f"ssl_{name}") for name in ("cafile", "certfile", "keyfile")}
    changed = tuple(_changed_nanos(f"kafka.ssl_{name}", file) for name, file in files.items())
    return _context(files["cafile"], files["certfile"], files["keyfile"], changed)


def _changed_nanos(setting: str, file: str | None) -> int:
    if file is None:
        return 0
    try:
        with Path(file).open("rb") as opened:
            return os.fstat(opened.fileno()).st_mtime_ns
    except OSError as error:
        raise UnusableFile(f"{setting}: {file}: {(error.strerror or 'not readable').lower()}") from error


@lru_cache(maxsize=4)  # the system's authorities take 20 ms to read, and the cluster is looked at every other second
def _context(
    cafile: str | None, certfile: str | None, keyfile: str | None, _changed: tuple[int, ...]
) -> ssl.SSLContext:
    try:
        context: ssl.SSLContext = create_ssl_context(cafile=cafile, certfile=certfile, keyfile=keyfile)
    except (OSError, ValueError) as error:
        raise UnusableFile("kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile: not PEM files that fit") from error
    return context
