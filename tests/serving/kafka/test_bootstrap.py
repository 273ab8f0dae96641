"""Why an address is not Kafka, told apart without a broker; those that take one: tests/kafka."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiokafka import errors
from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v5

from schemas.settings import KafkaSettings
from serving.kafka import bootstrap, metadata
from serving.kafka.bootstrap import connection_options, first_answer, unreached_brokers
from serving.kafka.connection import MAX_FIRST_ANSWER_BYTES, Connection
from serving.kafka.diagnosis import is_without_reason
from serving.kafka.metadata import REQUIRES_A_USER, MetadataConnection
from serving.kafka.words import NOT_KAFKA, NotKafka, NotReached, NotSignedIn, UnusableFile
from tests.kafka.certificates import Authority, new_authority
from tests.patience import PATIENCE_SECONDS

SECONDS = 0.4


def settings(servers: str, **changed: str) -> KafkaSettings:
    return KafkaSettings.model_validate({"bootstrap_servers": servers, **changed})


async def reason(kafka: KafkaSettings) -> str:
    with pytest.raises(NotReached) as caught:
        await first_answer(kafka, seconds=SECONDS)
    return str(caught.value)


Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def port(speak: Speak | None = None, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Where each connection is spoken to so, and closed; None: never."""
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (speak(reader, writer) if speak else over.wait())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


async def http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def hang_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None: ...


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"), "authority")


def encrypted(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.keystore("server", "127.0.0.1"))
    return context


async def test_addresses_with_one_cause_share_a_sentence() -> None:
    """None of these can be asked."""
    words = await reason(settings("127.0.0.1:99999,b:0,a..b:9092"))
    assert "127.0.0.1:99999, b:0, a..b:9092: not an address: check kafka.bootstrap_servers" == words


async def test_a_port_that_hangs_up_has_closed_the_connection() -> None:
    async with port(hang_up) as address:
        assert f"{address}: the connection was closed by the other side" == await reason(settings(address))


async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Two gigabytes, by the length."""
    with suppress(ConnectionError):
        writer.write(b"\x7f\xff\xff\xff")
        while not writer.is_closing():
            writer.write(bytes(MAX_FIRST_ANSWER_BYTES))
            await writer.drain()


@pytest.mark.parametrize("speak", [http, flood])
async def test_a_port_that_speaks_another_protocol_is_not_listened_to(speak: Speak) -> None:
    """Its first bytes are no length of an answer: nothing of that size is waited for."""
    async with port(speak) as address:
        began = time.monotonic()
        assert f"{address}: {NOT_KAFKA}" == await reason(settings(address))
        assert time.monotonic() - began < SECONDS


async def test_a_silent_port_is_given_up_in_time() -> None:
    """Though it was asked by TLS as well."""
    began = asyncio.get_running_loop().time()
    async with port() as address:
        assert f"{address}: no answer in {SECONDS:g} s" == await reason(settings(address))
    assert asyncio.get_running_loop().time() - began < bootstrap.ANSWER_SECONDS


async def test_a_port_with_tls_is_told_where_the_settings_have_none(authority: Authority) -> None:
    async with port(hang_up, encrypted(authority)) as address:
        assert f"{address}: the port speaks TLS: check kafka.security_protocol" == await reason(settings(address))


class Broker:
    """Says which requests it knows; of metadata it has its own, or it hangs up."""

    def __init__(self, metadata: MetadataResponse_v5 | None = None) -> None:
        self._metadata = metadata
        self.connections = self.asked = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while (size := int.from_bytes(await reader.readexactly(4), "big")) < 1_000:
                request = await reader.readexactly(size)
                is_versions = int.from_bytes(request[:2], "big") == ApiVersionResponse_v0.API_KEY
                answer = VERSIONS if is_versions else self._metadata
                if answer is None:
                    return
                self.asked += not is_versions
                body = request[4:8] + answer.encode()
                writer.write(len(body).to_bytes(4, "big") + body)


VERSIONS = ApiVersionResponse_v0(0, [(ApiVersionResponse_v0.API_KEY, 0, 0), (MetadataResponse_v5.API_KEY, 0, 5)])
METADATA = MetadataResponse_v5(0, [(7, "b", 9092, None)], "cluster", 7, [])


async def test_a_port_without_tls_is_told_where_the_settings_have_it(authority: Authority) -> None:
    async with port(Broker(METADATA)) as address:
        kafka = settings(address, security_protocol="SSL", ssl_cafile=str(authority.cafile))
        assert f"{address}: the port does not speak TLS: check kafka.security_protocol" == await reason(kafka)


async def test_a_port_that_hangs_up_on_who_has_not_said_who_it_is_wants_a_user() -> None:
    async with port(Broker()) as address:
        assert f"{address}: {REQUIRES_A_USER}" == await reason(settings(address))


async def test_who_is_refused_hears_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_self: object) -> None:
        raise NotSignedIn("Kafka refused user worker: wrong password")

    monkeypatch.setattr(Connection, "_do_sasl_handshake", refused)
    async with port(Broker(METADATA)) as address:
        user = {"sasl_mechanism": "PLAIN", "sasl_username": "worker", "sasl_password": "wrong"}
        words = await reason(settings(address, security_protocol="SASL_PLAINTEXT", **user))
    assert f"{address}: Kafka refused user worker: wrong password" == words


async def test_the_first_that_answers_is_enough_and_others_that_are_known_are_asked_too() -> None:
    """The one of the settings is silent, another is known from before; the message names the settings' alone."""
    async with port() as silent, port(Broker(METADATA)) as answering:
        host, number = answering.split(":")
        address, answer = await first_answer(settings(silent), known=[(host, int(number))])
        assert ((host, int(number)), [(7, "b", 9092, None)]) == (address, answer.brokers)
        left = [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__qualname__", "") == "_ask"]
        assert [] == left, "nobody is asked on"
        with pytest.raises(NotReached) as caught:
            await first_answer(settings(silent), known=[("127.0.0.1", 1)], seconds=SECONDS)
    assert f"{silent}: no answer in {SECONDS:g} s" == str(caught.value)


async def test_a_file_that_cannot_be_used_is_no_silence_of_a_broker() -> None:
    with pytest.raises(UnusableFile, match=r"^kafka\.ssl_cafile: there is no file /no/such/file\.pem"):
        await first_answer(settings("127.0.0.1:1", security_protocol="SSL", ssl_cafile="/no/such/file.pem"))


async def test_brokers_that_the_cluster_names_and_nobody_reaches_are_told() -> None:
    unknown = MetadataResponse_v5(0, [(7, "a..b", 9092, None)], "cluster", 7, [])
    async with port(Broker(unknown)) as address:
        words = await unreached_brokers(settings(address))
    assert "a..b:9092: not an address: check kafka.bootstrap_servers" == words


def connection_to(address: str) -> MetadataConnection:
    host, number = address.split(":")
    return MetadataConnection((host, int(number)), connection_options(settings(address)))


async def test_a_connection_that_is_kept_is_made_once_and_anew_after_a_failure() -> None:
    broker = Broker(METADATA)
    async with port(broker) as address:
        kept = connection_to(address)
        for _ in range(3):
            assert METADATA.brokers == (await kept.metadata([], SECONDS)).brokers
        assert (1, 3) == (broker.connections, broker.asked)
        broker._metadata = None
        with pytest.raises(errors.KafkaConnectionError) as caught:
            await kept.metadata([], SECONDS)
        assert not isinstance(caught.value, NotReached), "it has answered before: it wants no user"
        broker._metadata = METADATA
        await kept.metadata([], SECONDS)
        assert 2 == broker.connections
        await kept.close()


async def test_a_connection_that_is_kept_is_given_up_when_nothing_comes() -> None:
    async with port() as address:
        kept = connection_to(address)
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TimeoutError):
                await kept.metadata([], SECONDS)
        await kept.close()


def caused_by(cause: BaseException | None) -> errors.KafkaConnectionError:
    """As the client raises it: what broke the connection is its cause."""
    error = errors.KafkaConnectionError("x")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotReached("x"), False),
        (ssl.SSLCertVerificationError(1, "x"), False),
        (caused_by(ssl.SSLCertVerificationError(1, "x")), False),
        (caused_by(ConnectionRefusedError(111, "x")), False),
        (caused_by(None), True),
        (caused_by(TimeoutError()), True),
        (caused_by(ssl.SSLError(1, "x")), True),
        (TimeoutError(), True),
        (TimeoutError(110, "x"), True),
        (EOFError(), True),
        (NotKafka(), True),
        (ConnectionResetError(104, "x"), True),
        (BrokenPipeError(32, "x"), True),
        (OSError("without a number"), True),
        (OSError(113, "x"), False),
        (ValueError("x"), False),
    ],
)
def test_a_connection_that_breaks_without_a_word_is_told_from_one_with_a_cause(
    error: BaseException, *, expected: bool
) -> None:
    """Only the first is tried again the other way, TLS or not."""
    assert expected == is_without_reason(error)


class Answers:
    """A connection that answers with `outcome`: an error is raised, None never comes."""

    def __init__(self, outcome: Exception | None) -> None:
        self.outcome = outcome
        self.closed = False

    async def send(self, _request: object) -> None:
        if self.outcome:
            raise self.outcome
        await asyncio.Event().wait()

    @asynccontextmanager
    async def connected(self, *_: object) -> AsyncIterator["Answers"]:
        try:
            yield self
        finally:
            self.closed = True


@pytest.mark.parametrize(
    ("protocol", "expected"), [("PLAINTEXT", NotReached), ("SASL_PLAINTEXT", errors.KafkaConnectionError)]
)
async def test_a_port_that_hangs_up_wants_a_user_unless_it_was_given_one(
    monkeypatch: pytest.MonkeyPatch, protocol: str, expected: type[Exception]
) -> None:
    """With a user, the cause is another."""
    answers = Answers(errors.KafkaConnectionError("x"))
    monkeypatch.setattr(metadata, "connected", answers.connected)
    with pytest.raises(expected) as caught:
        await MetadataConnection(("a", 1), {"security_protocol": protocol}).metadata((), 1)
    assert expected is type(caught.value)


async def test_a_kept_connection_that_falls_silent_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a frozen broker would delay new metadata."""
    answers = Answers(None)
    monkeypatch.setattr(metadata, "connected", answers.connected)
    kept = MetadataConnection(("a", 1), {})
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(TimeoutError):
            await kept.metadata((), 0.01)
    assert answers.closed
