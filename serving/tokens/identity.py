"""Whom the claims of a token speak for (B6, G21). Pure: a signature, or the issuer, vouches for them elsewhere.

- iss, aud, exp, player, app and scope are all required; whatever is wrong about one of them, the token is bad (401).
  A scope that is there but does not suffice is no matter of this file: that is 403.
- An anonymous actor is `~` + its player claim. A claim that begins with `~` by itself is bad, so that neither a
  player nor an anonymous actor can take the other's id.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.documents import actor_of
from schemas.games.judging import matches_id
from schemas.records.envelope import ANONYMOUS_PREFIX, matches_player

# Up to here a JSON number is exact. What is beyond it, infinite or not a number is no date.
MAX_NUMERIC_DATE: Final = 2**53


class BadToken(Exception):
    """The token names nobody to us (401); the message says why, without a word of the token."""


class Unchecked(Exception):
    """Nobody can tell now whom the token names (503): it may be a good one."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token speaks for, and until when (s since 1970 UTC; infinite where its issuer does not say)."""

    app: str
    player: str
    scopes: frozenset[str]
    expires_seconds: float
    anonymous: bool = False
    actor: str = field(init=False, repr=False, compare=False)
    """`app/player`. Made once a token: a request needs it several times."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "actor", actor_of(self.app, self.player))


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What claims must say, and under which names. `partial`: iss, aud and exp may be absent, but never wrong."""

    issuer: str
    audience: str
    app_claim: str = "app"
    player_claim: str = "sub"
    scope_claim: str = "scope"
    anonymous_claim: str = "anonymous"
    leeway_seconds: float = 0
    partial: bool = False


def identity_of(claims: Mapping[str, object], rules: ClaimRules, now_seconds: float) -> Identity:
    """The identity that `claims` give. Raises BadToken."""
    _check_origin(claims, rules)
    expires_seconds = _expiry(claims, rules, now_seconds)
    app, player = claims.get(rules.app_claim), claims.get(rules.player_claim)
    anonymous = claims.get(rules.anonymous_claim, False)
    if not isinstance(anonymous, bool):
        raise BadToken(f"{rules.anonymous_claim} is not true or false")
    if not (isinstance(app, str) and matches_id(app)):
        raise BadToken(f"{rules.app_claim} missing or not usable")
    if not isinstance(player, str) or player.startswith(ANONYMOUS_PREFIX):
        raise BadToken(f"{rules.player_claim} missing or not usable")
    name = ANONYMOUS_PREFIX + player if anonymous else player
    # An empty claim would leave a bare prefix.
    if not (player and matches_player(name)):
        raise BadToken(f"{rules.player_claim} missing or not usable")
    return Identity(app, name, _scopes(claims.get(rules.scope_claim), rules), expires_seconds, anonymous)


def _check_origin(claims: Mapping[str, object], rules: ClaimRules) -> None:
    issuer, audience = claims.get("iss"), claims.get("aud")
    if issuer != rules.issuer and not (issuer is None and rules.partial):
        raise BadToken("iss is another issuer")
    named = audience == rules.audience or (isinstance(audience, list) and rules.audience in audience)
    if not named and not (audience is None and rules.partial):
        raise BadToken("aud is another audience")


def _expiry(claims: Mapping[str, object], rules: ClaimRules, now_seconds: float) -> float:
    """When the token ends, leeway included. It must lie ahead, and nbf must not."""
    if claims.get("exp") is None and rules.partial:
        expires_seconds = math.inf
    else:
        expires_seconds = _numeric_date(claims.get("exp"), "exp") + rules.leeway_seconds
    if expires_seconds <= now_seconds:
        raise BadToken("exp is past")
    if claims.get("nbf") is not None and _numeric_date(claims["nbf"], "nbf") > now_seconds + rules.leeway_seconds:
        raise BadToken("nbf is ahead")
    return expires_seconds


def _numeric_date(value: object, name: str) -> float:
    """RFC 7519's NumericDate; written so that NaN, which compares with nothing, is refused too."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_NUMERIC_DATE:
        return value
    raise BadToken(f"{name} missing or no date")


def _scopes(value: object, rules: ClaimRules) -> frozenset[str]:
    """Space-separated (RFC 8693, RFC 7662), or a list of strings, as issuers with a `scp` claim send it."""
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list) and all(isinstance(scope, str) for scope in value):
        return frozenset(value)
    raise BadToken(f"{rules.scope_claim} missing or not usable")
