"""Who reads: a signed token of the Authorization header with the scope tallymill.read; its `app` is what it may read.

The rules of a token are the ingress's (B6, G21): only asymmetric algorithms; iss, aud, exp, sub, app and scope are all
required; whatever else is wrong is 401, a missing scope is 403. They stand here a second time because they differ: the
names of claims are fixed, a scope is a string alone, and no token is remembered, for a reader asks now and then.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet

from console.answers import Refusal, Refused
from schemas.envelope import matches_player
from schemas.judging import matches_id

# EdDSA (RFC 8037) and Ed25519 (RFC 9864) are two names of one algorithm; joserfc warns of the first.
ALGORITHMS: Final = ("EdDSA", "Ed25519", "ES256", "RS256")
READ_SCOPE = "tallymill.read"
MAX_TOKEN_BYTES = 8_192


class BadToken(ValueError):
    """The claims name no reader to us."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a verified token speaks for."""

    app: str
    scopes: frozenset[str]


def reader_of(claims: Mapping[str, object], issuer: str, audience: str, now_seconds: float) -> Reader:
    """The reader that verified `claims` give. Raises BadToken."""
    app, subject, scope = (claims.get(name) for name in ("app", "sub", "scope"))
    if claims.get("iss") != issuer or not _names(claims.get("aud"), audience):
        raise BadToken("of another issuer, or for another audience")
    if not (isinstance(app, str) and matches_id(app) and isinstance(subject, str) and matches_player(subject)):
        raise BadToken("app or sub missing or not usable")
    if not isinstance(scope, str):
        raise BadToken("scope missing")
    _check_times(claims.get("exp"), claims.get("nbf"), now_seconds)
    return Reader(app, frozenset(scope.split()))


def _names(aud: object, audience: str) -> bool:
    return aud == audience or (isinstance(aud, list) and audience in aud)


def _check_times(exp: object, nbf: object, now_seconds: float) -> None:
    # Written so that NaN, which compares with nothing, is refused too.
    if isinstance(exp, bool) or not isinstance(exp, int | float) or not now_seconds < exp:
        raise BadToken("exp missing or past")
    if nbf is not None and not (isinstance(nbf, int | float) and nbf <= now_seconds):
        raise BadToken("not good yet")


def bearer_token(authorization: str | None) -> str | None:
    """The token of an Authorization header, or None."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= MAX_TOKEN_BYTES:
        return None
    return token.strip()


class Authenticator:
    """Verifies tokens of one issuer for one audience. Without keys (not read yet) nothing can be verified."""

    def __init__(self, issuer: str, audience: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys: KeySet | None = None

    @property
    def ready(self) -> bool:
        return self._keys is not None

    def use_keys(self, keys: KeySet) -> None:
        """Verify with `keys` from now on."""
        self._keys = keys

    def reader(self, authorization: str | None, now_seconds: float) -> Reader:
        """Raises Refused: UNAUTHENTICATED, NO_SCOPE, or AWAY while there are no keys to verify with."""
        token = bearer_token(authorization)
        if token is None:
            raise Refused(Refusal.UNAUTHENTICATED)
        if self._keys is None:
            raise Refused(Refusal.AWAY)
        try:
            reader = reader_of(_claims(token, self._keys), self._issuer, self._audience, now_seconds)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            # A token is a stranger's text: whatever it trips in the parser, the reader is not known.
            raise Refused(Refusal.UNAUTHENTICATED) from error
        if READ_SCOPE not in reader.scopes:
            raise Refused(Refusal.NO_SCOPE)
        return reader


def _claims(token: str, keys: KeySet) -> Mapping[str, object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
