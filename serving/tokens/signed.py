"""Tokens that carry their claims and a signature: JWTs (RFC 7519, RFC 7515), checked with the issuer's public keys.

- Only asymmetric algorithms: whoever can verify must not be able to sign.
- Good tokens are remembered (a signature costs more than all else a request does); their end is checked each time, and
  all are forgotten when the key set changes, for the key of one may have been withdrawn.
"""

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import Key

from serving.recent import Recent
from serving.tokens.identity import BadToken, ClaimRules, Identity, identity_of

# EdDSA (RFC 8037) and Ed25519 (RFC 9864) are two names of one algorithm; joserfc warns of the first.
ALGORITHMS: Final = ("EdDSA", "Ed25519", "ES256", "RS256")

# About 1 KB each with its token: 10,000 players sending at once cost 10 MB.
MAX_REMEMBERED_TOKENS: Final = 10_000


class _Registry(jws.JWSRegistry):
    """Header parameters that are not understood are ignored, as RFC 7515 (section 4) wants; the whole is bounded."""

    max_header_length = 8_192


_REGISTRY: Final = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """A token in its parts. The claims are nobody's word until the signature is verified."""

    compact: jws.CompactSignature
    key_id: str | None
    claims: Mapping[str, object]


def read_signed(token: str) -> Signed:
    """Raises BadToken for what is no JWT of an algorithm we take."""
    try:
        compact = jws.extract_compact(token.encode(), registry=_REGISTRY)
        header, claims = compact.headers(), json.loads(compact.payload)
        key_id, algorithm = header.get("kid"), header.get("alg")
    except Exception as error:  # a stranger's text: whatever it trips in the parser, it is no token
        raise BadToken("not a JWT") from error
    if algorithm not in ALGORITHMS or not isinstance(key_id, str | None) or not isinstance(claims, dict):
        raise BadToken("not a JWT that we take")
    return Signed(compact, key_id, claims)


def is_signed_by(signed: Signed, keys: Iterable[Key]) -> bool:
    """Whether one of these keys made the signature."""
    return any(_made(signed, key) for key in keys)


def _made(signed: Signed, key: Key) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            return jws.validate_compact(signed.compact, key, registry=_REGISTRY)
    except Exception:  # noqa: BLE001 as above: a key of another type or use, a header nobody understands
        return False


class VerifyingKeys(Protocol):
    """The keys that tokens are checked with. `generation` counts the sets that differ from the one before."""

    generation: int

    @property
    def ready(self) -> bool: ...

    def named(self, key_id: str | None) -> list[Key]:
        """The keys of this id; all of them for a token that names none. Raises Unchecked without any."""
        ...

    async def look_for(self, key_id: str, tried: Sequence[Key]) -> list[Key]:
        """The keys of this id beside those tried, read anew if allowed. Raises Unchecked where nobody can tell."""
        ...

    async def keep(self, refresh_seconds: float) -> None:
        """Keep them read; runs until cancelled."""
        ...


class SignedTokens:
    """Implements TokenCheck."""

    def __init__(self, rules: ClaimRules, keys: VerifyingKeys, refresh_seconds: float) -> None:
        self._rules = rules
        self._keys = keys
        self._refresh_seconds = refresh_seconds
        self._known: Recent[str, Identity] = Recent(MAX_REMEMBERED_TOKENS)
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
            raise BadToken("exp is past")
        return known

    async def _verified(self, token: str, now_seconds: float) -> Identity:
        """The claims before the signature: a token that is past, or another issuer's, costs no key and no read."""
        signed = read_signed(token)
        identity = identity_of(signed.claims, self._rules, now_seconds)
        keys = self._keys.named(signed.key_id)
        is_good = is_signed_by(signed, keys)
        if not is_good and signed.key_id is not None:
            # Also where a key of this id is at hand: an issuer may publish a new key under an old id.
            is_good = is_signed_by(signed, await self._keys.look_for(signed.key_id, keys))
        if not is_good:
            raise BadToken("not signed by the issuer")
        if self._known_generation == self._keys.generation:
            self._known[token] = identity
        return identity
