"""The first connection to Kafka: which address of kafka.bootstrap_servers answers, or why none does.

aiokafka's own bootstrap asks one address after the other, waits for each as long as a request may take, and says
"Unable to bootstrap" whatever the error was. Here all addresses are asked at once. A client is made with the first
that answers; for each that does not, the cause is said in plain words.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka.conn import collect_hosts

from schemas.settings import KafkaSettings
from serving.kafka.client import REQUEST_TIMEOUT_MILLIS, client_options
from serving.kafka.diagnosis import cause_of
from serving.kafka.metadata import Address, MetadataConnection
from serving.kafka.words import NotReached

__all__ = [
    "ANSWER_SECONDS",
    "Address",
    "NotReached",
    "bootstrap_options",
    "connection_options",
    "first_answer",
    "first_to_answer",
    "unreached_brokers",
]

# A broker that runs answers in milliseconds, one that has just started within a second or two.
ANSWER_SECONDS = 5

MAX_PORT = 65_535
NO_ADDRESS = "not an address: check kafka.bootstrap_servers"


async def bootstrap_options(
    kafka: KafkaSettings,
    client_id: str = "tallymill",
    request_timeout_ms: int = REQUEST_TIMEOUT_MILLIS,
    seconds: float = ANSWER_SECONDS,
) -> dict[str, Any]:
    """client_options with the address that answers within `seconds`. Raises NotReached, UnusableFile."""
    options = client_options(kafka, client_id, request_timeout_ms)
    return {**options, "bootstrap_servers": await first_to_answer(kafka, seconds)}


async def first_to_answer(kafka: KafkaSettings, seconds: float = ANSWER_SECONDS) -> str:
    """Return the address, `host:port`, that answered first. Raises NotReached, UnusableFile."""
    address, _ = await first_answer(kafka, seconds=seconds)
    return _text(address)


async def first_answer(
    kafka: KafkaSettings,
    topics: Sequence[str] = (),
    known: Iterable[Address] = (),
    seconds: float = ANSWER_SECONDS,
) -> tuple[Address, Any]:
    """Return the address that answered first within `seconds`, and the cluster's metadata of these topics.

    Asks the addresses of the settings and the `known` ones. Raises NotReached, which names the addresses of the
    settings; UnusableFile.
    """
    hosts = collect_hosts(kafka.bootstrap_servers or "", randomize=False)
    configured = list(dict.fromkeys((host, port) for host, port, _ in hosts))
    addresses = dict.fromkeys([*configured, *known])
    asked = [asyncio.create_task(_ask(kafka, one, topics, seconds)) for one in addresses]
    failures: dict[Address, str] = {}
    try:
        for one in asyncio.as_completed(asked):
            address, outcome = await one
            if not isinstance(outcome, str):
                return address, outcome
            failures[address] = outcome
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    raise NotReached(_together([(address, failures[address]) for address in configured]))


async def unreached_brokers(kafka: KafkaSettings) -> str | None:
    """Say which brokers of the cluster can't be reached at the addresses that the cluster gives, and why.

    The usual cause is a name in advertised.listeners that only the brokers' network resolves. Raises NotReached,
    UnusableFile.
    """
    _, metadata = await first_answer(kafka)
    named = sorted((broker[1], broker[2]) for broker in metadata.brokers)
    outcomes = await asyncio.gather(*(_ask(kafka, one) for one in named))
    unreached = [(address, words) for address, words in outcomes if isinstance(words, str)]
    return _together(unreached) if unreached else None


def _text(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _together(failures: Iterable[tuple[Address, str]]) -> str:
    """Addresses with one cause share a sentence."""
    by_words: dict[str, list[str]] = {}
    for address, words in failures:
        by_words.setdefault(words, []).append(_text(address))
    return "; ".join(f"{', '.join(addresses)}: {words}" for words, addresses in by_words.items())


async def _ask(
    kafka: KafkaSettings, address: Address, topics: Sequence[str] = (), seconds: float = ANSWER_SECONDS
) -> tuple[Address, Any | str]:
    """Return the cluster's metadata of these topics, or why there is none. Raises UnusableFile."""
    if not 0 < address[1] <= MAX_PORT:
        return address, NO_ADDRESS
    options = connection_options(kafka)
    connection = MetadataConnection(address, options)
    try:
        return address, await connection.metadata(topics, seconds)
    except UnicodeError:  # no host can have this name
        return address, NO_ADDRESS
    except Exception as error:  # noqa: BLE001 whatever the answer of another server makes the client raise: no Kafka
        return address, await cause_of(error, address, options, seconds)
    finally:
        await connection.close()


def connection_options(kafka: KafkaSettings) -> dict[str, Any]:
    """The options of one connection, which are fewer than a client's. Raises UnusableFile."""
    options = client_options(kafka, request_timeout_ms=ANSWER_SECONDS * 1000)
    return {name: value for name, value in options.items() if name not in ("bootstrap_servers", "metadata_max_age_ms")}
