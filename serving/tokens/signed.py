"""Checks JWTs (RFC 7519, RFC 7515) with the issuer's public keys.

- Only asymmetric algorithms are accepted: a process that verifies tokens must not be able to sign them.
- Valid tokens are cached, because verifying a signature costs more than the rest of a request. Their expiry is checked
  each time. The cache is cleared when the key set changes, because a key may have been withdrawn.
"""

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cachetools import LRUCache
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import Key

from serving.tokens.identity import BadToken, ClaimRules, Identity, identity_of

# EdDSA (RFC 8037) and Ed25519 (RFC 9864) name the same algorithm; joserfc warns of the first name.
ALGORITHMS: Final = ("EdDSA", "Ed25519", "ES256", "RS256")

# About 1 KB each with its token: 10 MB for 10,000 players who send at the same time.
MAX_REMEMBERED_TOKENS: Final = 10_000


class _Registry(jws.JWSRegistry):
    """Ignores unknown header parameters (RFC 7515, section 4), and bounds the size of the header."""

    max_header_length = 8_192


_REGISTRY: Final = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """A token in its parts. The claims are untrusted until the signature is verified."""

    compact: jws.CompactSignature
    key_id: str | None
    claims: Mapping[str, object]


def read_signed(token: str) -> Signed:
    """Raises BadToken unless it is a JWT with one of ALGORITHMS."""
    try:
        compact = jws.extract_compact(token.encode(), registry=_REGISTRY)
        header, claims = compact.headers(), json.loads(compact.payload)
        key_id, algorithm = header.get("kid"), header.get("alg")
    except Exception as error:  # untrusted text: whatever the parser raises, it is not a token
        raise BadToken("malformed", "not a JWT") from error
    if algorithm not in ALGORITHMS or not isinstance(key_id, str | None) or not isinstance(claims, dict):
        raise BadToken("malformed", f"not a JWT with one of {', '.join(ALGORITHMS)}")
    return Signed(compact, key_id, claims)


def is_signed_by(signed: Signed, keys: Iterable[Key]) -> bool:
    """Whether one of these keys made the signature."""
    return any(_verifies(key, signed) for key in keys)


def _verifies(key: Key, signed: Signed) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            return jws.validate_compact(signed.compact, key, registry=_REGISTRY)
    except Exception:  # noqa: BLE001 as above: a key of another type or use, an unknown header
        return False


class VerifyingKeys(Protocol):
    """The keys that tokens are checked with. `generation` counts the sets that differ from the one before."""

    generation: int

    @property
    def ready(self) -> bool: ...

    def named(self, key_id: str | None) -> list[Key]:
        """The keys of this id, or all keys if the token names none. Raises Unchecked without a key set."""
        ...

    async def refresh(self, key_id: str, tried: Sequence[Key]) -> list[Key]:
        """The keys of this id except those tried, read again if allowed. Raises Unchecked if that fails."""
        ...

    async def keep(self, refresh_seconds: float) -> None:
        """Read them regularly, until cancelled."""
        ...


class SignedTokens:
    """Implements TokenCheck."""

    def __init__(self, rules: ClaimRules, keys: VerifyingKeys, refresh_seconds: float) -> None:
        self._rules = rules
        self._keys = keys
        self._refresh_seconds = refresh_seconds
        self._known: LRUCache[str, Identity] = LRUCache(MAX_REMEMBERED_TOKENS)
        self._known_generation = keys.generation

    @property
    def ready(self) -> bool:
        return self._keys.ready

    async def keep(self) -> None:
        await self._keys.keep(self._refresh_seconds)

    async def identity(self, token: str, now_seconds: float) -> Identity:
        if self._known_generation != self._keys.generation:
            self._known.clear()
            self._known_generation = self._keys.generation
        known = self._known.get(token)
        if known is None:
            return await self._verified(token, now_seconds)
        if known.expires_seconds <= now_seconds:
            raise BadToken("expired", "exp is past")
        return known

    async def _verified(self, token: str, now_seconds: float) -> Identity:
        """Checks the claims before the signature: an expired token, or another issuer's, causes no read of keys."""
        signed = read_signed(token)
        identity = identity_of(signed.claims, self._rules, now_seconds)
        keys = self._keys.named(signed.key_id)
        is_good = is_signed_by(signed, keys)
        if not is_good and signed.key_id is not None:
            # Also if a key of this id is known: an issuer may publish a new key under an old id.
            is_good = is_signed_by(signed, await self._keys.refresh(signed.key_id, keys))
        if not is_good:
            raise BadToken("signature", "not signed with a key of the issuer")
        self._known[token] = identity  # if the keys have changed meanwhile, the next call clears it
        return identity
