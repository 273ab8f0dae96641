"""Tokens for OAUTHBEARER by client credentials (RFC 6749, section 4.4).

- A token is fetched when a connection needs one, and shared by all connections of the process.
- From two thirds of its life on, a new one is fetched. If that fails, the old one is used to its end.
- Each answer has a size limit, and no error quotes a token or a secret.
"""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from schemas.settings import KafkaSettings
from serving.kafka.words import NoToken
from serving.outgoing.issuer import address, basic_authorization, body_of, reason
from serving.outgoing.pem import UnusablePem, load_authorities
from serving.outgoing.proxies import proxy_of

# An issuer answers in milliseconds. The first connection waits for Kafka's answer a little longer than this.
FETCH_SECONDS = 4.0

# A connection signs in again when most of its token's life is over, so a token that is used has time left.
FRESH_SHARE = 2 / 3

# A token is a few kilobytes at most.
MAX_ANSWER_BYTES = 64 << 10

HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and until when (monotonic) it is fresh, and valid."""

    text: str = field(repr=False)
    fresh_until: float
    valid_until: float


class TokenSource:
    """The tokens of one client id."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._token: Token | None = None
        self._fetching: asyncio.Task[Token] | None = None

    async def token(self, kafka: KafkaSettings) -> str:
        """A valid token. Raises NoToken."""
        if self._token and self._now() < self._token.fresh_until:
            return self._token.text
        try:
            self._token = await self._fetched(kafka)
        except NoToken:
            if self._token is None or self._now() >= self._token.valid_until:
                raise
        return self._token.text

    @property
    def subject(self) -> str | None:
        """Whom the last token names, which is Kafka's name of the user. None if that can't be read."""
        return _subject(self._token.text) if self._token else None

    @property
    def is_awaited(self) -> bool:
        """Whether a connection waits for the endpoint's answer."""
        return self._fetching is not None and not self._fetching.done()

    def forget(self) -> None:
        """Fetch a new token for the next connection: Kafka refused this one, or the secret has changed."""
        self._token = None

    async def _fetched(self, kafka: KafkaSettings) -> Token:
        """Connections that need a token at once share one request. A cancelled connection does not cancel it."""
        loop = asyncio.get_running_loop()  # `status` has one in each of its threads
        if self._fetching is None or self._fetching.done() or self._fetching.get_loop() is not loop:
            self._fetching = loop.create_task(fetch(kafka, self._now), name="token for Kafka")
            self._fetching.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._fetching)


async def fetch(kafka: KafkaSettings, now: Callable[[], float] = time.monotonic) -> Token:
    """A new token. Raises NoToken, which says what the endpoint did and which setting to check."""
    url = kafka.oauth_token_url or ""
    asked = now()
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            status, body = await _post(kafka, url)
    except TimeoutError:
        raise no_token(url, f"no answer in {FETCH_SECONDS:g} s") from None
    except UnusablePem as error:
        raise no_token(url, str(error)) from None
    except (OSError, aiohttp.ClientError, ValueError) as error:
        raise no_token(url, reason(error)) from None
    if status != HTTP_OK:
        raise no_token(url, _refusal(kafka, status, body))
    return _read(url, body, asked)


def _subject(token: str) -> str | None:
    """The `sub` of a signed token. It is not verified: Kafka does that."""
    try:
        _, claims, _ = token.split(".")
        subject = json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return subject if isinstance(subject, str) else None


def no_token(url: str, words: str) -> NoToken:
    return NoToken(f"no token from {address(url)} (kafka.oauth_token_url): {words}")


async def _post(kafka: KafkaSettings, url: str) -> tuple[int, bytes]:
    secret = kafka.oauth_client_secret.get_secret_value() if kafka.oauth_client_secret else ""
    authorization = basic_authorization(kafka.oauth_client_id or "", secret)
    form = {"grant_type": "client_credentials"} | ({"scope": kafka.oauth_scope} if kafka.oauth_scope else {})
    headers = {"accept": "application/json", "authorization": authorization}
    connector = aiohttp.TCPConnector(ssl=_trusting(kafka.ssl_cafile), force_close=True)
    # Redirects are not followed: the request carries the secret.
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        session.post(url, data=form, allow_redirects=False, proxy=proxy_of(url)) as response,
    ):
        return response.status, await body_of(response, MAX_ANSWER_BYTES)


def _trusting(cafile: str | None) -> ssl.SSLContext:
    """Trusts the system's authorities, and those of kafka.ssl_cafile: a company often has one for all its servers.

    Raises UnusablePem.
    """
    context = ssl.create_default_context()
    if cafile:
        load_authorities(context, cafile, "kafka.ssl_cafile")
    return context


def _refusal(kafka: KafkaSettings, status: int, body: bytes) -> str:
    """The error code of RFC 6749, section 5.2, and what to change."""
    try:
        code = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        code = None
    if code == "invalid_scope":
        return "the scope is refused: check kafka.oauth_scope"
    if code in ("invalid_client", "unauthorized_client") or status in (401, 403):
        return f"client {kafka.oauth_client_id} is refused: check kafka.oauth_client_id and kafka.oauth_client_secret"
    return f"HTTP {status}" + (f", {code}" if isinstance(code, str) and code.isidentifier() else "")


def _read(url: str, body: bytes, asked: float) -> Token:
    try:
        answer = json.loads(body)
        text, seconds = answer["access_token"], float(answer.get("expires_in", 0))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise no_token(url, "the answer is not that of a token endpoint (RFC 6749, section 5.1)") from None
    if not isinstance(text, str) or not text.isascii():
        raise no_token(url, "the answer has no access_token")
    return Token(text, asked + FRESH_SHARE * seconds, asked + seconds)
