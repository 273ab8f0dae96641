"""The identity that the claims of a token name (B6, G21). Pure: other modules check that the claims are authentic.

- iss, aud, exp, player, app and scope are required. If one is missing or invalid, the token is invalid (401). Whether
  the scope suffices is checked by the endpoint (403).
- An anonymous actor is `~` + its player claim. A player claim that begins with `~` is invalid, so a player and an
  anonymous actor can't have the same id.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from schemas.documents import actor_of
from schemas.games.judging import matches_id
from schemas.records.envelope import ANONYMOUS_PREFIX, matches_player

# JSON numbers are exact up to here. A larger number, infinity or NaN is not a date.
MAX_NUMERIC_DATE: Final = 2**53


Reason = Literal["expired", "issuer", "audience", "signature", "claim", "malformed", "inactive"]
"""Why a token is invalid. `claim`: one is missing or not usable; `inactive`: the issuer says so when it is asked."""
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)


class BadToken(Exception):
    """The token is invalid (401). `detail` says why in words, and quotes nothing of the token."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


class Unchecked(Exception):
    """The token can't be checked now (503). It may be valid."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request. `expires_seconds`: since 1970 UTC; infinite if the issuer does not say."""

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
    """The required values and the names of claims. `partial`: iss, aud and exp may be absent, but not wrong."""

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
        raise BadToken("claim", f"{rules.anonymous_claim} is not true or false")
    if not (isinstance(app, str) and matches_id(app)):
        raise BadToken("claim", f"{rules.app_claim} missing or not usable")
    if not isinstance(player, str) or player.startswith(ANONYMOUS_PREFIX):
        raise BadToken("claim", f"{rules.player_claim} missing or not usable")
    name = ANONYMOUS_PREFIX + player if anonymous else player
    # An empty claim would leave a bare prefix.
    if not (player and matches_player(name)):
        raise BadToken("claim", f"{rules.player_claim} missing or not usable")
    return Identity(app, name, _scopes(claims.get(rules.scope_claim), rules), expires_seconds, anonymous)


def _check_origin(claims: Mapping[str, object], rules: ClaimRules) -> None:
    issuer, audience = claims.get("iss"), claims.get("aud")
    if issuer != rules.issuer and not (issuer is None and rules.partial):
        raise BadToken("issuer", "iss is another issuer") if issuer else BadToken("claim", "iss missing")
    named = audience == rules.audience or (isinstance(audience, list) and rules.audience in audience)
    if not named and not (audience is None and rules.partial):
        raise BadToken("audience", "aud is another audience") if audience else BadToken("claim", "aud missing")


def _expiry(claims: Mapping[str, object], rules: ClaimRules, now_seconds: float) -> float:
    """When the token expires, leeway included. Raises BadToken if that is past, or if nbf is in the future."""
    if claims.get("exp") is None and rules.partial:
        expires_seconds = math.inf
    else:
        expires_seconds = _numeric_date(claims.get("exp"), "exp") + rules.leeway_seconds
    if expires_seconds <= now_seconds:
        raise BadToken("expired", "exp is past")
    if claims.get("nbf") is not None and _numeric_date(claims["nbf"], "nbf") > now_seconds + rules.leeway_seconds:
        raise BadToken("claim", "nbf is ahead")
    return expires_seconds


def _numeric_date(value: object, name: str) -> float:
    """A NumericDate (RFC 7519). The comparison also refuses NaN, for which it is always false."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_NUMERIC_DATE:
        return value
    raise BadToken("claim", f"{name} missing or no date")


def _scopes(value: object, rules: ClaimRules) -> frozenset[str]:
    """Space-separated (RFC 8693, RFC 7662), or a list of strings, as issuers with a `scp` claim send it."""
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list) and all(isinstance(scope, str) for scope in value):
        return frozenset(value)
    raise BadToken("claim", f"{rules.scope_claim} missing or not usable")
