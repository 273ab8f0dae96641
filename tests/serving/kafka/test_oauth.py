"""Tokens for OAUTHBEARER, from an endpoint on loopback."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.local.servers.ports import any_free
from schemas.settings import KafkaSettings
from serving.kafka import oauth
from serving.kafka.connection import REFUSED_CODES, Connection
from serving.kafka.credentials import Credentials
from serving.kafka.diagnosis import cause_of
from serving.kafka.oauth import TokenSource, fetch
from serving.kafka.words import NoToken
from tests.security.system import until
from tests.security.token_endpoint import TokenEndpoint, token_endpoint


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint({"worker": "a secret: 100%"}) as running:
        yield running


def settings(endpoint: TokenEndpoint, **changed: str) -> KafkaSettings:
    usual = {
        "bootstrap_servers": "kafka:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "oauth_token_url": endpoint.url,
        "oauth_client_id": "worker",
        "oauth_client_secret": "a secret: 100%",
    }
    return KafkaSettings.model_validate(usual | changed)


async def test_connections_share_one_token_and_one_request(endpoint: TokenEndpoint) -> None:
    source = TokenSource()
    tokens = await asyncio.gather(*(source.token(settings(endpoint, oauth_scope="kafka")) for _ in range(5)))
    assert (1, 1) == (len(set(tokens)), endpoint.given)
    assert ["kafka"] == endpoint.scopes
    assert "worker" == source.subject


async def test_a_connection_that_gives_up_does_not_end_the_request_of_the_others(endpoint: TokenEndpoint) -> None:
    source, kafka, endpoint.mode = TokenSource(), settings(endpoint), "hang"
    first, second = (asyncio.create_task(source.token(kafka)) for _ in range(2))
    await asyncio.to_thread(until, lambda: len(endpoint.scopes) == 1, lambda: "the endpoint was not asked")
    first.cancel()
    endpoint.ended.set()
    assert await second
    assert 1 == endpoint.given


async def test_another_loop_makes_a_request_of_its_own(endpoint: TokenEndpoint) -> None:
    """`status` asks Kafka from several threads. Each has a loop, and they share the source."""
    source, kafka, endpoint.mode = TokenSource(), settings(endpoint), "hang"
    elsewhere = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(source.token(kafka))))
    await asyncio.to_thread(until, lambda: len(endpoint.scopes) == 1, lambda: "the endpoint was not asked")
    here = asyncio.create_task(source.token(kafka))
    await asyncio.to_thread(until, lambda: len(endpoint.scopes) == 2, lambda: "the endpoint was asked once")
    endpoint.ended.set()
    assert all(await asyncio.gather(elsewhere, here))


async def test_a_token_is_renewed_after_two_thirds_of_its_life(endpoint: TokenEndpoint) -> None:
    now = 0.0
    source, kafka = TokenSource(lambda: now), settings(endpoint)
    endpoint.lifetime_seconds = 30
    await source.token(kafka)
    now = 19.9
    await source.token(kafka)
    assert 1 == endpoint.given
    now = 20.1
    await source.token(kafka)
    assert 2 == endpoint.given


async def test_the_old_token_serves_to_its_end_while_the_endpoint_fails(endpoint: TokenEndpoint) -> None:
    now = 0.0
    source, kafka = TokenSource(lambda: now), settings(endpoint)
    endpoint.lifetime_seconds = 30
    first = await source.token(kafka)
    endpoint.mode = "fail"
    now = 29
    assert first == await source.token(kafka)
    now = 30
    with pytest.raises(NoToken, match="HTTP 503"):
        await source.token(kafka)


async def test_a_token_that_kafka_has_refused_is_not_used_again(endpoint: TokenEndpoint) -> None:
    """It may have been revoked: the next connection gets another, though this one has not expired."""
    credentials = Credentials(settings(endpoint))
    await credentials.token()
    connection = Connection(
        "127.0.0.1",
        1,
        security_protocol="PLAINTEXT",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauth_token_provider=credentials,
    )
    assert "Kafka refused the token of client worker" in str(
        connection._refused(connection._words_of(REFUSED_CODES[0]))
    )
    await credentials.token()
    assert 2 == endpoint.given


async def test_a_connection_that_waited_for_a_token_says_so(endpoint: TokenEndpoint) -> None:
    """Where the caller waits for a shorter time than the token's own time-out."""
    credentials, address = Credentials(settings(endpoint)), ("127.0.0.1", any_free())
    options = {"sasl_oauth_token_provider": credentials, "security_protocol": "SASL_SSL"}
    await credentials.token()
    assert "no answer in 0.2 s" == await cause_of(TimeoutError(), address, options, 0.2)
    credentials.refused()
    endpoint.mode = "hang"
    waiting = asyncio.create_task(credentials.token())
    await asyncio.to_thread(until, lambda: len(endpoint.scopes) == 2, lambda: "the endpoint was not asked")
    waiting.cancel()
    cause = await cause_of(TimeoutError(), address, options, 0.2)
    assert f"no token from {endpoint.url} (kafka.oauth_token_url): no answer in 0.2 s" == cause


async def test_a_new_secret_is_used_at_once(endpoint: TokenEndpoint) -> None:
    credentials = Credentials(settings(endpoint))
    await credentials.token()
    endpoint.clients = {"worker": "the next"}
    credentials.renew(settings(endpoint, oauth_client_secret="the next", group="other"))
    await credentials.token()
    assert 2 == endpoint.given
    assert "tallymill" == credentials.kafka.group, "what is no secret stays"


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("refuse", "client worker is refused: check kafka.oauth_client_id and kafka.oauth_client_secret"),
        ("fail", "HTTP 503"),
        ("rubbish", "the answer is not that of a token endpoint (RFC 6749, section 5.1)"),
        ("hang", "no answer in 0.2 s"),
    ],
)
async def test_each_failure_of_the_endpoint_has_words(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, mode: str, words: str
) -> None:
    monkeypatch.setattr(oauth, "FETCH_SECONDS", 0.2 if mode == "hang" else 10)
    endpoint.mode = mode  # type: ignore[assignment]  # one of its names
    with pytest.raises(NoToken) as failed:
        await fetch(settings(endpoint))
    assert f"no token from {endpoint.url} (kafka.oauth_token_url): {words}" == str(failed.value)


NO_TOKEN = "the answer is not that of a token endpoint (RFC 6749, section 5.1)"
FOREVER = "1" + "0" * 400


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        *((200, f'{{"access_token": "hidden-word", "expires_in": {life}}}', NO_TOKEN)
          for life in (FOREVER, "null", "[1]", '"soon"')),
        (200, '{"access_token": 7}', "the answer has no access_token"),
        (200, '{"access_token": "h\u00efdden-word"}', "the answer has no access_token"),
        (200, " " * (oauth.MAX_ANSWER_BYTES + 1), "larger than 65536 bytes"),
        (302, "", "HTTP 302"),
        (400, '{"error": "invalid_scope"}', "the scope is refused: check kafka.oauth_scope"),
        (400, '{"error": "invalid_grant"}', "HTTP 400, invalid_grant"),
        (400, '{"error": "hidden word"}', "HTTP 400"),
    ],
)  # fmt: skip
async def test_an_answer_without_a_token_is_refused(
    endpoint: TokenEndpoint, status: int, text: str, words: str
) -> None:
    """Also a life that is larger than any number of a clock. A redirect is not followed: the request has the secret."""
    endpoint.mode, endpoint.status, endpoint.text = "text", status, text
    with pytest.raises(NoToken) as failed:
        await fetch(settings(endpoint))
    assert f"no token from {endpoint.url} (kafka.oauth_token_url): {words}" == str(failed.value)


async def test_authorities_that_can_t_be_read_are_named(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """While their file is being replaced. It is not the endpoint's fault."""
    file = tmp_path / "ca.pem"
    for text, words in ((None, f"there is no file {file}"), ("half", f"{file}: no certificate in PEM format")):
        if text:
            file.write_text(text)
        with pytest.raises(NoToken) as failed:
            await fetch(settings(endpoint, ssl_cafile=str(file)))
        assert str(failed.value).endswith(f"(kafka.oauth_token_url): kafka.ssl_cafile: {words}")


async def test_a_port_where_nothing_listens(endpoint: TokenEndpoint) -> None:
    url = f"http://127.0.0.1:{any_free()}/token?key=secret"
    with pytest.raises(NoToken) as failed:
        await fetch(settings(endpoint, oauth_token_url=url))
    assert "not connected: connection refused" in str(failed.value)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("token", ["opaque", "a.b.c", f"a.{base64.urlsafe_b64encode(b'[]').decode()}.c"])
def test_a_token_that_names_nobody_has_no_subject(token: str) -> None:
    assert oauth._subject(token) is None
