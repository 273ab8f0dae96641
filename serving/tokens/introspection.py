"""Checks tokens that only their issuer can read: asks it (RFC 7662), and caches its answers.

- Active: cached until the token expires, `introspection_cache_seconds` at most. A revoked token works for this time.
- Not active, or with invalid claims: cached for some seconds, in a cache of its own: made-up tokens evict no valid one.
- No answer, or an answer that breaks RFC 7662: Unchecked (503), because the token may be valid.

Requests with the same token share one question. `introspection_connections` bounds all questions together, and the
time-out includes the wait for a connection. If the endpoint closes a kept connection while a question is sent, the
question is sent once more, because it changes nothing. The cache holds hashes, so that it is not worth stealing.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Final

import aiohttp
import structlog
from cachetools import LRUCache
from pydantic import SecretStr

from serving.clock import Clock
from serving.outgoing.issuer import address, basic_authorization, body_of, reason
from serving.outgoing.proxies import proxy_of
from serving.tokens.identity import BadToken, ClaimRules, Identity, Reason, Unchecked, identity_of
from serving.tokens.metrics import TokenMetrics

log = structlog.get_logger()

# 300 bytes each, whatever the size of the token.
MAX_REMEMBERED_TOKENS: Final = 10_000
NOT_ACTIVE_SECONDS: Final = 5
# An answer is a few hundred bytes of claims.
MAX_ANSWER_BYTES: Final = 64 << 10
# Shorter than servers keep an idle connection (Node: 5 s), so that a question rarely meets a closing connection.
KEEP_ALIVE_SECONDS: Final = 4
# Questions that may wait for a connection. More would only take memory and time out.
MAX_WAITING: Final = 1_000

# RFC 6750, section 2.1. The issuer isn't asked about anything else.
_is_token = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z").match


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    url: str = field(repr=False)
    client_id: str
    client_secret: SecretStr
    timeout_seconds: float
    connections: int


@dataclass(slots=True)
class _Sent:
    """How a question went out."""

    on_kept_connection: bool = False


def _noting_kept_connections() -> aiohttp.TraceConfig:
    async def reused(_session: object, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx.on_kept_connection = True

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(reused)
    return tracing


class IntrospectionEndpoint:
    """The issuer's endpoint. It can be asked while it is open."""

    def __init__(self, settings: EndpointSettings, clock: Clock, metrics: TokenMetrics) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._session: aiohttp.ClientSession | None = None
        self._is_lost = False

    @property
    def is_open(self) -> bool:
        return self._session is not None

    @property
    def is_up(self) -> bool:
        """Whether the last question was answered. True before the first one, because it isn't asked without a token."""
        return self.is_open and not self._is_lost

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(
            headers={"accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=None),  # of all tries together: claims()
            connector=aiohttp.TCPConnector(limit=self._settings.connections, keepalive_timeout=KEEP_ALIVE_SECONDS),
            trace_configs=[_noting_kept_connections()],
        ) as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    async def claims(self, token: str) -> Mapping[str, object] | None:
        """The claims of the token, or None if it is not active. Raises Unchecked."""
        started_seconds = self._clock.monotonic_seconds()
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                answer = _checked(await self._answer(token))
        except (OSError, TimeoutError, aiohttp.ClientError, ValueError, RecursionError) as error:
            self._metrics.introspected("failed", self._clock.monotonic_seconds() - started_seconds)
            if not self._is_lost:
                log.warning("introspection_lost", url=address(self._settings.url), reason=reason(error))
            self._is_lost = True
            raise Unchecked("the issuer does not say") from error
        self._metrics.introspected(
            "active" if answer else "not_active", self._clock.monotonic_seconds() - started_seconds
        )
        if self._is_lost:
            log.info("introspection_back", url=address(self._settings.url))
        self._is_lost = False
        return answer

    async def _answer(self, token: str) -> bytes:
        """The answer. If a kept connection had ended, the question is sent a second time."""
        if self._session is None:
            raise Unchecked("not open")
        sent = _Sent()
        try:
            return await self._ask(self._session, token, sent)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not sent.on_kept_connection:
                raise
        return await self._ask(self._session, token, _Sent())

    async def _ask(self, session: aiohttp.ClientSession, token: str, sent: _Sent) -> bytes:
        form = {"token": token, "token_type_hint": "access_token"}
        # Made for each question: the secret may be renewed.
        secret = self._settings.client_secret.get_secret_value()
        headers = {"authorization": basic_authorization(self._settings.client_id, secret)}
        # Redirects are not followed: the request carries the token and the client secret.
        async with session.post(
            self._settings.url,
            data=form,
            headers=headers,
            allow_redirects=False,
            trace_request_ctx=sent,
            proxy=proxy_of(self._settings.url),
        ) as response:
            if response.status != 200:  # noqa: PLR2004 HTTP's OK
                raise ValueError(f"HTTP {response.status}")
            return await body_of(response, MAX_ANSWER_BYTES)


def _checked(text: bytes) -> Mapping[str, object] | None:
    """The claims of an answer, None if it says not active. Raises ValueError if it breaks RFC 7662."""
    try:
        answer = json.loads(text)
    except ValueError:
        # The message of this error quotes the answer, which must not reach a log.
        raise ValueError("no JSON") from None
    active = answer.get("active") if isinstance(answer, dict) else None
    if not isinstance(active, bool):
        raise ValueError("active is not true or false")  # noqa: TRY004 it is the answer's value that is wrong
    return answer if active else None


@dataclass(frozen=True, slots=True)
class _Known:
    identity: Identity
    until_seconds: float


@dataclass(frozen=True, slots=True)
class _Bad:
    reason: Reason
    detail: str
    until_seconds: float


class IntrospectedTokens:
    """Implements TokenCheck."""

    def __init__(self, rules: ClaimRules, endpoint: IntrospectionEndpoint, cache_seconds: float) -> None:
        self._rules = rules
        self._endpoint = endpoint
        self._cache_seconds = cache_seconds
        self._active: LRUCache[bytes, _Known] = LRUCache(MAX_REMEMBERED_TOKENS)
        self._not_active: LRUCache[bytes, _Bad] = LRUCache(MAX_REMEMBERED_TOKENS)
        self._asking: dict[bytes, asyncio.Task[Identity]] = {}

    @property
    def ready(self) -> bool:
        return self._endpoint.is_open

    async def keep(self) -> None:
        async with self._endpoint.open():
            await asyncio.Event().wait()

    async def identity(self, token: str, now_seconds: float) -> Identity:
        if not _is_token(token):
            raise BadToken("malformed", "not a bearer token")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._active.get(digest)
        if known is not None:
            if known.identity.expires_seconds <= now_seconds:
                raise BadToken("expired", "exp is past")
            if now_seconds < known.until_seconds:
                return known.identity
        elif (bad := self._not_active.get(digest)) and now_seconds < bad.until_seconds:
            raise BadToken(bad.reason, bad.detail)
        return await self._asked(token, digest, now_seconds)

    async def _asked(self, token: str, digest: bytes, now_seconds: float) -> Identity:
        """Joins the question about this token that is under way, or asks it. A cancelled request does not cancel it."""
        asking = self._asking.get(digest)
        if asking is None:
            if len(self._asking) >= MAX_WAITING:
                raise Unchecked("too many tokens wait for the issuer")
            asking = self._asking[digest] = asyncio.create_task(self._ask(token, digest, now_seconds))
            asking.add_done_callback(lambda done: self._ended(digest, done))
        return await asyncio.shield(asking)

    def _ended(self, digest: bytes, asking: asyncio.Task[Identity]) -> None:
        del self._asking[digest]
        if not asking.cancelled():
            asking.exception()  # retrieved, so that asyncio does not report it if all requests were cancelled

    async def _ask(self, token: str, digest: bytes, now_seconds: float) -> Identity:
        claims = await self._endpoint.claims(token)
        try:
            if not claims:
                raise BadToken("inactive", "the issuer says that it is not active")  # noqa: TRY301 cached like all else
            identity = identity_of(claims, self._rules, now_seconds)
        except BadToken as error:
            self._active.pop(digest, None)
            self._not_active[digest] = _Bad(error.reason, error.detail, now_seconds + NOT_ACTIVE_SECONDS)
            raise
        self._active[digest] = _Known(identity, now_seconds + self._cache_seconds)
        return identity
