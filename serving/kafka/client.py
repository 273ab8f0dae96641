"""The options of every client of Kafka.

- A request for metadata creates no topic. A broker with auto.create.topics.enable, Kafka's default, would otherwise
  create topics before `init` does, with one partition and the broker's defaults.
- Clients know new brokers and partitions within METADATA_MAX_AGE_MILLIS.
- A request to a frozen broker times out after REQUEST_TIMEOUT_MILLIS, and the client asks another broker.
"""

from typing import Any

from aiokafka.protocol.metadata import MetadataRequest

from schemas.settings import KafkaSettings
from serving.kafka.connection import install
from serving.kafka.credentials import credentials_of
from serving.kafka.words import UnusableFile, why

__all__ = ["METADATA_MAX_AGE_MILLIS", "REQUEST_TIMEOUT_MILLIS", "UnusableFile", "client_options", "why"]

# For clients that KafkaWatch (watch.py) does not refresh every second. The client's default is five minutes.
METADATA_MAX_AGE_MILLIS = 30_000

# A broker that runs answers within a second. The client's default of 40 s would also be the wait for a frozen one.
REQUEST_TIMEOUT_MILLIS = 10_000


def client_options(
    kafka: KafkaSettings,
    client_id: str = "tallymill",
    request_timeout_ms: int = REQUEST_TIMEOUT_MILLIS,
    *,
    connects_later: bool = False,
) -> dict[str, Any]:
    """Options of a client of aiokafka. Raises UnusableFile.

    `connects_later`: files that can't be used are named when the client connects, not now.
    """
    never_create_topics()
    install()
    credentials = credentials_of(kafka)
    return {
        **kafka.client_options(),
        # aiokafka asks for one. Each connection reads the newest instead.
        "ssl_context": credentials.any_tls_context() if connects_later else credentials.tls_context(),
        # aiokafka asks for both with PLAIN, and gives them to each connection, which reads the newest instead.
        "sasl_plain_username": credentials.user,
        "sasl_plain_password": credentials.password,
        "sasl_oauth_token_provider": credentials,
        "client_id": client_id,
        "request_timeout_ms": request_timeout_ms,
        "metadata_max_age_ms": METADATA_MAX_AGE_MILLIS,
    }


def never_create_topics() -> None:
    """Make all of aiokafka's clients ask for metadata without creating topics.

    They have no option for it. All of them build MetadataRequest(topics), whose default is to create.
    """
    MetadataRequest.__init__.__defaults__ = (None, False)
