"""Who sends: a signed token of the Authorization header, and nowhere else (B6, G21).

- Only asymmetric algorithms: whoever can verify must not be able to sign.
- iss, aud, exp, sub, app and scope are all required; anything else about a token is 401, a missing scope is 403.
- Verified tokens are remembered (a signature costs more than all else a request does), their end is checked each time.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet

from ingress.answers import Refusal, Refused
from schemas.envelope import matches_player
from schemas.judging import matches_id

# EdDSA (RFC 8037) and Ed25519 (RFC 9864) are two names of one algorithm; joserfc warns of the first.
ALGORITHMS: Final = ("EdDSA", "Ed25519", "ES256", "RS256")
RECORD_SCOPES: Final = frozenset(
    ("https://www.googleapis.com/auth/games", "https://www.googleapis.com/auth/games_lite")
)

# About 1 KB each with its token: 10,000 players sending at once cost 10 MB.
MAX_REMEMBERED_TOKENS = 10_000
# A token of ours is a few hundred bytes; the header of a request is not bounded by the HTTP parser.
MAX_TOKEN_BYTES = 8_192


class BadToken(ValueError):
    """The claims do not name a sender to us."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a verified token speaks for, and until when (s since 1970 UTC)."""

    app: str
    player: str
    scopes: frozenset[str]
    expires_seconds: float

    @property
    def actor(self) -> str:
        return f"{self.app}/{self.player}"


def identity_of(claims: Mapping[str, object], issuer: str, audience: str, now_seconds: float) -> Identity:
    """The identity that verified `claims` give. Raises BadToken."""
    app, player, scope, expires = (claims.get(name) for name in ("app", "sub", "scope", "exp"))
    if claims.get("iss") != issuer or not _names(claims.get("aud"), audience):
        raise BadToken("of another issuer, or for another audience")
    if not (isinstance(app, str) and matches_id(app) and isinstance(player, str) and matches_player(player)):
        raise BadToken("app or sub missing or not usable")
    if not isinstance(scope, str):
        raise BadToken("scope missing")
    # Written so that NaN, which compares with nothing, is refused too.
    if not _is_number(expires) or not now_seconds < expires:  # type: ignore[operator]  # checked just before
        raise BadToken("exp missing or past")
    if not _begun(claims.get("nbf"), now_seconds):
        raise BadToken("not good yet")
    return Identity(app, player, frozenset(scope.split()), expires)  # type: ignore[arg-type]  # a number, as above


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names(aud: object, audience: str) -> bool:
    return aud == audience or (isinstance(aud, list) and audience in aud)


def _begun(nbf: object, now_seconds: float) -> bool:
    return nbf is None or (isinstance(nbf, int | float) and nbf <= now_seconds)


def bearer_token(authorization: bytes | None) -> str | None:
    """The token of an Authorization header, or None."""
    scheme, _, token = (authorization or b"").partition(b" ")
    if scheme.lower() != b"bearer" or not 0 < len(token) <= MAX_TOKEN_BYTES:
        return None
    return token.strip().decode("ascii", errors="replace")


class Authenticator:
    """Verifies tokens of one issuer for one audience. Without keys (not read yet) nothing can be verified."""

    def __init__(self, issuer: str, audience: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys: KeySet | None = None
        self._known: LRUCache[str, Identity] = LRUCache(MAX_REMEMBERED_TOKENS)

    @property
    def ready(self) -> bool:
        return self._keys is not None

    def use_keys(self, keys: KeySet) -> None:
        """Verify with `keys` from now on. What others have signed is forgotten: its key may have been withdrawn."""
        if self._keys is None or self._keys.as_dict() != keys.as_dict():
            self._known.clear()
        self._keys = keys

    def identify(self, authorization: bytes | None, now_seconds: float) -> Identity:
        """Raises Refused: UNAUTHENTICATED, or UNAVAILABLE while there are no keys to verify with."""
        token = bearer_token(authorization)
        if token is None:
            raise Refused(Refusal.UNAUTHENTICATED)
        known = self._known.get(token)
        if known is None:
            known = self._known[token] = self._verified(token, now_seconds)
        if known.expires_seconds <= now_seconds:
            raise Refused(Refusal.UNAUTHENTICATED)
        return known

    def _verified(self, token: str, now_seconds: float) -> Identity:
        if self._keys is None:
            raise Refused(Refusal.UNAVAILABLE)
        try:
            claims = _claims(token, self._keys)
            return identity_of(claims, self._issuer, self._audience, now_seconds)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            # A token is a stranger's text: whatever it trips in the parser, the sender is not known.
            raise Refused(Refusal.UNAUTHENTICATED) from error


def _claims(token: str, keys: KeySet) -> Mapping[str, object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims


def require_record_scope(identity: Identity) -> None:
    """Raises Refused where the token may not record (either of two scopes will do)."""
    if not identity.scopes & RECORD_SCOPES:
        raise Refused(Refusal.FORBIDDEN)
