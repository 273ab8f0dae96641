"""How a connection signs in, and again, with the answers of a broker that is not there."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.admin import SaslAuthenticateRequest
from aiokafka.protocol.metadata import MetadataRequest

from schemas.settings import KafkaSettings
from serving.kafka.connection import Connection
from serving.kafka.credentials import Credentials
from serving.kafka.words import NotSignedIn
from tests.patience import PATIENCE_SECONDS

Answer = Callable[[bytes], bytes]


class Broker:
    """Answers each request. `sent`: what it got. `answer`: to what the client sends to sign in."""

    def __init__(self, mechanism: str, answer: Answer) -> None:
        self.sent: list[str] = []
        self.lifetime_millis = 0
        self._mechanism = mechanism
        self._answer = answer

    async def send(self, request: object, _expects_response: object) -> object:
        self.sent.append(type(request).__name__)
        await asyncio.sleep(0)
        if isinstance(request, MetadataRequest):
            return None
        if not isinstance(request, SaslAuthenticateRequest):
            return SimpleNamespace(error_code=0, enabled_mechanisms=[self._mechanism])
        answer = self._answer(request._payload)
        return SimpleNamespace(error_code=0, sasl_auth_bytes=answer, session_lifetime_ms=self.lifetime_millis)


def signing_in(
    monkeypatch: pytest.MonkeyPatch, mechanism: str, answer: Answer = lambda _: b""
) -> tuple[Connection, Broker]:
    broker = Broker(mechanism, answer)
    monkeypatch.setattr(AIOKafkaConnection, "send", broker.send)
    user = {"sasl_username": "worker", "sasl_password": "hidden-word"}
    user |= {"oauth_token_url": "https://a", "oauth_client_id": "worker", "oauth_client_secret": "hidden-word"}
    kafka = KafkaSettings.model_validate({"security_protocol": "SASL_SSL", "sasl_mechanism": mechanism, **user})
    made = Connection("a", 1, sasl_mechanism=mechanism, sasl_oauth_token_provider=Credentials(kafka))
    return made, broker


def nonce_of(first: bytes) -> bytes:
    """The client's own, which the answer must begin with (RFC 5802)."""
    return first.rpartition(b"r=")[2]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: b"e=other-error",
        lambda _: b"",
        lambda _: b"\xff",
        lambda _: b"r=another,s=AAAA,i=4096",
        lambda first: b"r=" + nonce_of(first) + b"x,s=AAAA,i=some",
        lambda first: b"r=" + nonce_of(first) + b"x,s=AAAA,i=0",
        lambda first: b"r=" + nonce_of(first) + b"x,s=AAAA,i=" + b"9" * 30,
    ],
)
async def test_an_answer_without_sense_is_no_proof_of_the_password(
    monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    connection, _ = signing_in(monkeypatch, "SCRAM-SHA-512", answer)
    with pytest.raises(NotSignedIn, match=r"^Kafka does not prove that it knows the password: is it the right server"):
        await connection._do_sasl_handshake()


async def test_requests_wait_each_time_the_connection_signs_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker closes a connection that sends something else meanwhile (KIP-368)."""
    connection, broker = signing_in(monkeypatch, "PLAIN")
    for _ in range(2):
        broker.sent.clear()
        connection._renew()
        await asyncio.sleep(0)  # it begins
        await connection.send(MetadataRequest([]))
        assert ["SaslHandShakeRequest", "SaslAuthenticateRequest", "MetadataRequest"] == broker.sent


async def test_a_closed_connection_does_not_sign_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, broker = signing_in(monkeypatch, "PLAIN")
    broker.lifetime_millis = 60_000
    await connection._do_sasl_handshake()
    assert connection._renewal
    connection.close()
    assert connection._renewal.cancelled()


async def test_a_token_that_is_refused_in_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As RFC 7628, section 3.2.3, has it: without an error code."""

    async def token(_credentials: Credentials) -> str:
        return "hidden-word"

    monkeypatch.setattr(Credentials, "token", token)
    connection, broker = signing_in(monkeypatch, "OAUTHBEARER", lambda _: b'{"status": "invalid_token"}')
    with pytest.raises(NotSignedIn, match=r"^Kafka refused the token of client worker: "):
        await connection._do_sasl_handshake()
    assert ["SaslHandShakeRequest", "SaslAuthenticateRequest"] == broker.sent


async def test_a_user_who_is_not_accepted_again_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the answer is."""
    closed = list[object]()
    for answer in (b"e=other-error", b"r="):
        connection, _ = signing_in(monkeypatch, "SCRAM-SHA-256", lambda _, answer=answer: answer)  # type: ignore[misc]
        monkeypatch.setattr(connection, "close", lambda **given: closed.append(given["exc"]))
        connection._renew()
        assert connection._renewing
        await asyncio.wait_for(connection._renewing, PATIENCE_SECONDS / 10)
    assert [NotSignedIn] * 2 == [type(one) for one in closed]
