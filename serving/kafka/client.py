"""The options of every client of Kafka.

- A request for metadata creates no topic. A broker with auto.create.topics.enable, Kafka's default, would otherwise
  create topics before `init` does, with one partition and the broker's defaults.
- Clients know new brokers and partitions within METADATA_MAX_AGE_MILLIS.
- A request to a frozen broker times out after REQUEST_TIMEOUT_MILLIS, and the client asks another broker.
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

# For clients that KafkaWatch (watch.py) does not refresh every second. The client's default is five minutes.
METADATA_MAX_AGE_MILLIS = 30_000

# A broker that runs answers within a second. The client's default of 40 s would also be the wait for a frozen one.
REQUEST_TIMEOUT_MILLIS = 10_000


def client_options(
    kafka: KafkaSettings, client_id: str = "tallymill", request_timeout_ms: int = REQUEST_TIMEOUT_MILLIS
) -> dict[str, Any]:
    """Options of a client of aiokafka. Raises UnusableFile."""
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

    They have no option for it. All of them build MetadataRequest(topics), whose default is to create.
    """
    MetadataRequest.__init__.__defaults__ = (None, False)


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """Return the TLS context; None for a protocol without TLS.

    Certificates are renewed while the process runs, so a file that has changed is read again. Raises UnusableFile.
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


@lru_cache(maxsize=4)  # reading the system's authorities takes 20 ms, and a process connects every other second
def _context(
    cafile: str | None, certfile: str | None, keyfile: str | None, _changed: tuple[int, ...]
) -> ssl.SSLContext:
    try:
        context: ssl.SSLContext = create_ssl_context(cafile=cafile, certfile=certfile, keyfile=keyfile)
    except (OSError, ValueError) as error:
        raise UnusableFile("kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile: not PEM files that fit") from error
    return context
