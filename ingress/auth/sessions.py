"""`POST /v1/sessions`: the ingress issues anonymous tokens, for apps without accounts (off by default).

- An anonymous actor is `~` and 128 random bits. It can't be guessed, and no player's id begins with `~` (B6).
- A token that this key signed is valid only for an anonymous actor, never for a player. So the key may be on every
  ingress, unlike the issuer's private key.
- The first part of a token shows whether this key signed it: all its tokens have the same header, whose key id has a
  prefix that no other key has.
"""

import asyncio
import json
import secrets
from collections.abc import Collection, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from ingress.config import IngressSettings, TokenSettings
from ingress.http.address_limit import AddressLimit
from ingress.http.body import read_body, refuse_announced_size, require_json
from ingress.http.metrics import Metrics
from schemas.analytics.sessions import MAX_SESSION_BODY_BYTES, parse_session
from schemas.errors.table import Refusal
from schemas.records.envelope import ANONYMOUS_PREFIX
from schemas.wire.malformed import MalformedBody
from serving.clock import Clock
from serving.http.replies import json_reply, retry_after
from serving.http.reply import Reply
from serving.http.request import Request
from serving.refused import Refused
from serving.start import StartRefused
from serving.tokens.bearer import TokenCheck
from serving.tokens.check import issuers_tokens
from serving.tokens.identity import BadToken, ClaimRules, Identity
from serving.tokens.signed import SignedTokens

ISSUER: Final = "tallymill-sessions"
RULES: Final = ClaimRules(issuer=ISSUER, audience=ISSUER)
KEY_ID_PREFIX: Final = "tallymill-session-"
ACTOR_BYTES: Final = 16

_ALGORITHMS: Final = {"EC": "ES256", "OKP": "Ed25519", "RSA": "RS256"}


class SessionKey:
    """The key that signs anonymous tokens. Implements VerifyingKeys, to verify them."""

    generation = 0
    ready = True

    def __init__(self, key: Key) -> None:
        self._key = key
        algorithm = _ALGORITHMS[key.key_type]
        self._header = {"alg": algorithm, "kid": KEY_ID_PREFIX + key.thumbprint()}
        self._algorithms = [algorithm]
        self._first_part = self._signed({}).partition(".")[0] + "."

    def token(self, app: str, name: str, now_seconds: int, seconds: int) -> str:
        """A token of the anonymous actor `~name`."""
        times = {"iat": now_seconds, "exp": now_seconds + seconds}
        who = {"sub": name, "app": app, "anonymous": True, "scope": ""}
        return self._signed({"iss": ISSUER, "aud": ISSUER, **times, **who})

    def has_signed(self, token: str) -> bool:
        """Whether the token's header names this key. Does not verify the signature."""
        return token.startswith(self._first_part)

    def _signed(self, claims: dict[str, object]) -> str:
        return jwt.encode(self._header, claims, self._key, algorithms=self._algorithms)

    def named(self, key_id: str | None) -> list[Key]:
        return [self._key] if key_id == self._header["kid"] else []

    async def refresh(self, key_id: str, tried: Sequence[Key]) -> list[Key]:  # noqa: ARG002 it has no others
        return []

    async def keep(self, refresh_seconds: float) -> None:
        """Nothing to refresh: the key never changes."""


def read_session_key(file: str) -> SessionKey:
    """Raises StartRefused."""
    try:
        return SessionKey(_private_key(Path(file).read_text()))
    except (OSError, ValueError, TypeError, JoseError) as error:
        raise StartRefused([f"tokens.session_key: no key that signs can be read from {file}: {error}"]) from error


def _private_key(text: str) -> Key:
    key = JWKRegistry.import_key(json.loads(text))
    if not (isinstance(key, ECKey | OKPKey | RSAKey) and key.is_private):
        raise ValueError("no private key of type EC, OKP or RSA")
    return key


def session_key(settings: TokenSettings) -> SessionKey | None:
    """The key, or None if the settings name none. Raises StartRefused."""
    return read_session_key(settings.session_key) if settings.session_key else None


class WithSessions:
    """Implements TokenCheck for this ingress's anonymous tokens and the issuer's tokens."""

    def __init__(self, issuers: TokenCheck, key: SessionKey) -> None:
        self._issuers = issuers
        self._key = key
        self._own = SignedTokens(RULES, key, refresh_seconds=0)

    @property
    def ready(self) -> bool:
        return self._issuers.ready

    async def keep(self) -> None:
        await self._issuers.keep()

    def identity(self, token: str, now_seconds: float) -> Coroutine[Any, Any, Identity]:
        tokens = self._own_identity if self._key.has_signed(token) else self._issuers.identity
        return tokens(token, now_seconds)

    async def _own_identity(self, token: str, now_seconds: float) -> Identity:
        identity = await self._own.identity(token, now_seconds)
        if not identity.anonymous:
            raise BadToken("claim", "a session is anonymous")
        return identity


def token_check(settings: TokenSettings, key: SessionKey | None, clock: Clock, metrics: Metrics) -> TokenCheck:
    """The token check of an ingress: the issuer's tokens and, with a `key`, its own anonymous tokens."""
    issuers = issuers_tokens(settings, clock, metrics.tokens)
    if key is None:
        return issuers
    metrics.tokens.rejected.declare(("signature",))
    return WithSessions(issuers, key)


class Sessions:
    """The endpoint."""

    def __init__(
        self,
        key: SessionKey | None,
        tokens: TokenSettings,
        settings: IngressSettings,
        metrics: Metrics,
    ) -> None:
        self._key = key
        self._apps: Collection[str] = tokens.session_apps
        self._seconds = tokens.session_seconds
        self._body_timeout_seconds = settings.body_timeout_seconds
        self._addresses = AddressLimit(
            settings.max_sessions_per_address, settings.address_window_seconds, settings.trusted_proxies
        )
        self._metrics = metrics

    async def __call__(self, request: Request) -> Reply:
        if wait_seconds := self._addresses.wait_seconds(request):
            raise Refused(Refusal.ADDRESS_RATE_HIGH, headers=(retry_after(wait_seconds),))
        app = await self._app(request)
        if self._key is None or app not in self._apps:
            raise Refused(Refusal.NO_SESSIONS)
        name = secrets.token_hex(ACTOR_BYTES)
        # An RSA signature takes a millisecond, and untrusted clients can ask for any number.
        token = await asyncio.to_thread(self._key.token, app, name, request.wall_millis // 1000, self._seconds)
        self._metrics.session_given()
        return json_reply(200, {"token": token, "actor": ANONYMOUS_PREFIX + name, "expiresIn": self._seconds})

    async def _app(self, request: Request) -> str:
        refuse_announced_size(request.headers, MAX_SESSION_BODY_BYTES)
        coding = require_json(request.headers)
        body = await read_body(request.read, coding, MAX_SESSION_BODY_BYTES, self._body_timeout_seconds)
        try:
            return parse_session(body).app
        except MalformedBody as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error
