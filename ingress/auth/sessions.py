"""`POST /v1/sessions`: anonymous tokens of our own, for apps whose clients have nobody to log in (off by default).

- An actor is `~` + 128 random bits: nobody can guess another's, and no player's id begins so (B6).
- The key can vouch for anonymous actors alone: a token of it that names a player is none. So it may lie on every
  ingress, where the issuer's key must not.
- Such a token is told from the issuer's by its first part: whatever one key signs has the same header, and the key's
  id begins as no other's.
"""

import asyncio
import json
import secrets
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from ingress.config import IngressSettings, TokenSettings
from ingress.http.address_limit import AddressLimit
from ingress.http.body import Receive, headers_of, read_body, refuse_announced_size, require_json
from ingress.http.metrics import Metrics
from ingress.http.pipeline import Scope
from ingress.http.replies import Refusal, Refused, Reply, json_reply, retry_after
from schemas.analytics.sessions import MAX_SESSION_BODY_BYTES, parse_session
from schemas.records.envelope import ANONYMOUS_PREFIX
from schemas.wire.malformed import MalformedBody
from serving.clock import Clock
from serving.start import StartRefused
from serving.tokens.bearer import TokenCheck
from serving.tokens.identity import BadToken, ClaimRules, Identity
from serving.tokens.signed import SignedTokens

ISSUER: Final = "tallymill-sessions"
RULES: Final = ClaimRules(issuer=ISSUER, audience=ISSUER)
KEY_ID_PREFIX: Final = "tallymill-session-"
ACTOR_BYTES: Final = 16

_ALGORITHMS: Final = {"EC": "ES256", "OKP": "Ed25519", "RSA": "RS256"}


class SessionKey:
    """The key that signs anonymous tokens; as VerifyingKeys, the one that verifies them."""

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
        """Whether it says so; the signature is another matter."""
        return token.startswith(self._first_part)

    def _signed(self, claims: dict[str, object]) -> str:
        return jwt.encode(self._header, claims, self._key, algorithms=self._algorithms)

    def named(self, key_id: str | None) -> list[Key]:
        return [self._key] if key_id == self._header["kid"] else []

    async def look_for(self, key_id: str, tried: Sequence[Key]) -> list[Key]:  # noqa: ARG002 it has no others
        return []

    async def keep(self, refresh_seconds: float) -> None:
        """There is nothing to read again."""


def read_session_key(file: str) -> SessionKey:
    """Raises StartRefused."""
    try:
        return SessionKey(_private_key(Path(file).read_text()))
    except (OSError, ValueError, TypeError, JoseError) as error:
        raise StartRefused([f"tokens.session_key: {file} can't sign: {error}"]) from error


def _private_key(text: str) -> Key:
    key = JWKRegistry.import_key(json.loads(text))
    if not (isinstance(key, ECKey | OKPKey | RSAKey) and key.is_private):
        raise ValueError("no private key of type EC, OKP or RSA")
    return key


def session_key(settings: TokenSettings) -> SessionKey | None:
    """The key, where one is set. Raises StartRefused."""
    return read_session_key(settings.session_key) if settings.session_key else None


class WithSessions:
    """Implements TokenCheck: our own anonymous tokens, and beside them the issuer's."""

    def __init__(self, issuers: TokenCheck, key: SessionKey) -> None:
        self._issuers = issuers
        self._key = key
        self._own = SignedTokens(RULES, key, refresh_seconds=0)

    @property
    def ready(self) -> bool:
        return self._issuers.ready

    async def keep(self) -> None:
        await self._issuers.keep()

    async def identity(self, token: str, now_seconds: float) -> Identity:
        if not self._key.has_signed(token):
            return await self._issuers.identity(token, now_seconds)
        identity = await self._own.identity(token, now_seconds)
        if not identity.anonymous:
            raise BadToken("a session is anonymous")
        return identity


class Sessions:
    """The endpoint."""

    def __init__(
        self,
        key: SessionKey | None,
        tokens: TokenSettings,
        settings: IngressSettings,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._key = key
        self._apps: Collection[str] = tokens.session_apps
        self._seconds = tokens.session_seconds
        self._body_timeout_seconds = settings.body_timeout_seconds
        self._addresses = AddressLimit(
            settings.max_sessions_per_address, settings.address_window_seconds, settings.trusted_proxies
        )
        self._clock = clock
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive) -> Reply:
        headers = headers_of(scope)
        wait_seconds = self._addresses.wait_seconds(
            scope, headers.get(b"x-forwarded-for"), self._clock.monotonic_seconds()
        )
        if wait_seconds:
            raise Refused(Refusal.ADDRESS_RATE_HIGH, headers=(retry_after(wait_seconds),))
        app = await self._app(headers, receive)
        if self._key is None or app not in self._apps:
            raise Refused(Refusal.NO_SESSIONS)
        name = secrets.token_hex(ACTOR_BYTES)
        # A signature takes a millisecond with RSA, and strangers ask for them.
        now_seconds = self._clock.wall_millis() // 1000
        token = await asyncio.to_thread(self._key.token, app, name, now_seconds, self._seconds)
        self._metrics.session_given()
        return json_reply(200, {"token": token, "actor": ANONYMOUS_PREFIX + name, "expiresIn": self._seconds})

    async def _app(self, headers: dict[bytes, bytes], receive: Receive) -> str:
        refuse_announced_size(headers, MAX_SESSION_BODY_BYTES)
        coding = require_json(headers)
        body = await read_body(receive, coding, MAX_SESSION_BODY_BYTES, self._body_timeout_seconds)
        try:
            return parse_session(body).app
        except MalformedBody as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error
