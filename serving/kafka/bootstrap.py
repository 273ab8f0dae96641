"""The first connection to Kafka: which address of kafka.bootstrap_servers answers, or why none does.

aiokafka's own bootstrap asks one address after the other, waits for each as long as a request may take, and says of
all errors the same: "Unable to bootstrap". Here all addresses are asked at once; the first that answers is what a
client is made with, and an address that doesn't answer has its cause in plain words.

A TCP connection that breaks without a word is tried once more the other way (TLS or not), for the settings may say
otherwise than the port does.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.protocol.metadata import MetadataRequest

from schemas.settings import KafkaSettings
from serving.kafka.client import REQUEST_TIMEOUT_MILLIS, client_options
from serving.kafka.words import NotReached, why

__all__ = [
    "ANSWER_SECONDS",
    "Address",
    "KeptConnection",
    "NotReached",
    "bootstrap_options",
    "first_answer",
    "first_to_answer",
    "unreached_brokers",
]

# A broker that is there answers in milliseconds, one that has just started within a second or two.
ANSWER_SECONDS = 5

# A TLS connection is closed by both sides; one that is silent is not waited for.
CLOSE_SECONDS = 1

# A handshake that is cancelled leaves its socket open; one that times out by itself, before that, closes it.
HANDSHAKE_SHARE = 0.8

WANTS_A_USER = "the port wants a user and password: look at kafka.security_protocol and kafka.sasl_username"

MAX_PORT = 65_535
NO_ADDRESS = "not an address: look at kafka.bootstrap_servers"

Address = tuple[str, int]


async def bootstrap_options(
    kafka: KafkaSettings, client_id: str = "tallymill", request_timeout_ms: int = REQUEST_TIMEOUT_MILLIS
) -> dict[str, Any]:
    """client_options with the address that answers. Raises NotReached, UnusableFile."""
    options = client_options(kafka, client_id, request_timeout_ms)
    return {**options, "bootstrap_servers": await first_to_answer(kafka)}


async def first_to_answer(kafka: KafkaSettings) -> str:
    """The address, `host:port`, that answered first. Raises NotReached, UnusableFile."""
    address, _ = await first_answer(kafka)
    return _text(address)


async def first_answer(
    kafka: KafkaSettings,
    topics: Sequence[str] = (),
    known: Iterable[Address] = (),
    seconds: float = ANSWER_SECONDS,
) -> tuple[Address, Any]:
    """The address that answered first within `seconds`, and the cluster's metadata of these topics.

    All of the settings are asked, and the others that are known. Raises NotReached, which names the addresses of the
    settings; UnusableFile.
    """
    configured = _addresses(kafka)
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
        await _end(asked)
    raise NotReached(_together([(address, failures[address]) for address in configured]))


async def unreached_brokers(kafka: KafkaSettings) -> str | None:
    """Of the brokers that the cluster names as its own, which ones can't be reached from here, and why.

    The usual cause is advertised.listeners with a name that only the brokers' network knows. Raises as first_to_answer.
    """
    _, metadata = await first_answer(kafka)
    named = sorted((broker[1], broker[2]) for broker in metadata.brokers)
    outcomes = await asyncio.gather(*(_ask(kafka, one) for one in named))
    unreached = [(address, words) for address, words in outcomes if isinstance(words, str)]
    return _together(unreached) if unreached else None


def _addresses(kafka: KafkaSettings) -> list[Address]:
    hosts = collect_hosts(kafka.bootstrap_servers or "", randomize=False)
    return list(dict.fromkeys((host, port) for host, port, _ in hosts))


def _text(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _together(failures: Iterable[tuple[Address, str]]) -> str:
    """Addresses with one cause share a sentence."""
    by_words: dict[str, list[str]] = {}
    for address, words in failures:
        by_words.setdefault(words, []).append(_text(address))
    return "; ".join(f"{', '.join(addresses)}: {words}" for words, addresses in by_words.items())


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(
    kafka: KafkaSettings, address: Address, topics: Sequence[str] = (), seconds: float = ANSWER_SECONDS
) -> tuple[Address, Any | str]:
    """The cluster's metadata of these topics, or why there is none. Raises UnusableFile."""
    if not 0 < address[1] <= MAX_PORT:
        return address, NO_ADDRESS
    options = _connection_options(kafka)
    try:
        return address, await _metadata(address, options, topics, seconds)
    except UnicodeError:  # a name that no host can have
        return address, NO_ADDRESS
    except Exception as error:  # noqa: BLE001 whatever a stranger's answer makes the client raise, there is no Kafka
        return address, await _cause(kafka, address, options, error, seconds)


def _connection_options(kafka: KafkaSettings) -> dict[str, Any]:
    options = client_options(kafka, request_timeout_ms=ANSWER_SECONDS * 1000)
    return {name: value for name, value in options.items() if name not in ("bootstrap_servers", "metadata_max_age_ms")}


class KeptConnection:
    """A connection to one address, for questions that come again and again."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._open: AsyncExitStack | None = None
        self._connection: Any = None

    async def metadata(self, kafka: KafkaSettings, topics: Sequence[str], seconds: float) -> Any:  # noqa: ANN401 aiokafka has no types
        """The cluster's, of these topics. Raises whatever keeps it from coming in time; closed then."""
        try:
            async with asyncio.timeout(seconds):
                if self._connection is None:
                    self._open = AsyncExitStack()
                    connected = _connected(self._address, _connection_options(kafka))
                    self._connection = await self._open.enter_async_context(connected)
                return await self._connection.send(MetadataRequest(list(topics)))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        opened, self._open, self._connection = self._open, None, None
        if opened is not None:
            await opened.aclose()


async def _metadata(address: Address, options: dict[str, Any], topics: Sequence[str], seconds: float) -> Any:  # noqa: ANN401 aiokafka has no types
    async with asyncio.timeout(seconds), _connected(address, options) as connection:
        try:
            return await connection.send(MetadataRequest(list(topics)))
        except errors.KafkaConnectionError as error:
            if options["security_protocol"].startswith("SASL_"):
                raise
            raise NotReached(WANTS_A_USER) from error


@asynccontextmanager
async def _connected(address: Address, options: dict[str, Any]) -> AsyncIterator[AIOKafkaConnection]:
    """A connection whose socket is closed on return, also where it could not be made whole."""
    connection = AIOKafkaConnection(*address, **options)
    try:
        await connection.connect()
        yield connection
    finally:
        closed = connection.close()
        if connection._protocol is not None:  # noqa: SLF001 only then a socket was opened, and is closed some time
            await asyncio.wait((closed,), timeout=CLOSE_SECONDS)


async def _cause(
    kafka: KafkaSettings, address: Address, options: dict[str, Any], error: BaseException, seconds: float
) -> str:
    if isinstance(error, errors.SaslAuthenticationFailed | errors.AuthenticationFailedError):
        return (
            f"Kafka refused user {kafka.sasl_username}: wrong password or mechanism "
            "(kafka.sasl_password, kafka.sasl_mechanism)"
        )
    if _says_nothing(error) and (other := await _other_way(address, options, seconds / 2)):
        return other
    if isinstance(error, TimeoutError):
        return f"no answer in {seconds:g} s"
    return why(error)


def _says_nothing(error: BaseException) -> bool:
    """The connection was made, and then closed or kept silent."""
    if isinstance(error, NotReached | ssl.SSLCertVerificationError):
        return False
    if isinstance(error, errors.KafkaConnectionError):
        return error.__cause__ is None or _says_nothing(error.__cause__)
    return isinstance(error, TimeoutError | EOFError | ConnectionResetError | BrokenPipeError | ssl.SSLError) or (
        isinstance(error, OSError) and error.errno is None
    )


async def _other_way(address: Address, options: dict[str, Any], seconds: float) -> str | None:
    """What the port speaks, if it is not what the settings say."""
    encrypted = options["security_protocol"].endswith("SSL")
    try:
        async with asyncio.timeout(seconds):
            if encrypted:
                async with _connected(address, {**options, "security_protocol": "PLAINTEXT"}):
                    return "the port does not speak TLS: look at kafka.security_protocol"
            await _speak_tls(address, HANDSHAKE_SHARE * seconds)
    except Exception:  # noqa: BLE001 then the port speaks neither
        return None
    return "the port speaks TLS: look at kafka.security_protocol"


class _Closing(asyncio.Protocol):
    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed.set()


async def _speak_tls(address: Address, seconds: float) -> None:
    """A handshake that trusts anybody: nothing is said over it."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    transport, protocol = await asyncio.get_running_loop().create_connection(
        _Closing, *address, ssl=trusting, ssl_handshake_timeout=seconds
    )
    transport.abort()
    await protocol.closed.wait()
