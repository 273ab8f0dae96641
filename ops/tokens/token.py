"""Tokens of the local issuer (RFC 7519), with the claims the ingress asks for, under the names it is set to."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from ops.config import Settings, SettingsError
from ops.tokens.issuer import ALGORITHM
from schemas.games.judging import matches_id
from schemas.records.envelope import ANONYMOUS_PREFIX, matches_player

DAY_SECONDS = 86_400

PLAYER_RULE = "must be 1 to 128 characters, without / or control characters, and must not begin with ~"

REQUIRED = (
    "tokens.private_key: required to sign a token, with tokens.issuer and tokens.audience. `tallymill up` sets them "
    "for the local system"
)


def make_token(
    settings: Settings,
    app: str,
    player: str,
    scopes: Sequence[str],
    *,
    anonymous: bool = False,
    seconds: int = DAY_SECONDS,
) -> str:
    """A signed token for one player of one app.

    Raises SettingsError without the issuer's key, ValueError for an app or player that no token may name.
    """
    tokens = settings.tokens
    if not (tokens.private_key and tokens.issuer and tokens.audience):
        raise SettingsError([REQUIRED])
    refuse_player(player, anonymous=anonymous)
    if not matches_id(app):
        raise ValueError(f"--app {app}: must be 1 to 64 letters, digits, _ or -")
    now = int(time.time())
    claims = {
        "iss": tokens.issuer,
        "aud": tokens.audience,
        "iat": now,
        "exp": now + seconds,
        tokens.player_claim: player,
        tokens.app_claim: app,
        tokens.scope_claim: " ".join(scopes),
    }
    if anonymous:
        # The ingress, not the issuer, marks the actor of such a token in every id.
        claims[tokens.anonymous_claim] = True
    key = _key(Path(tokens.private_key))
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])


def _key(file: Path) -> ECKey:
    try:
        return ECKey.import_key(json.loads(file.read_text()))
    except OSError as error:
        raise SettingsError([f"tokens.private_key: {file}: {(error.strerror or 'not readable').lower()}"]) from error
    except (ValueError, JoseError) as error:
        raise SettingsError([f"tokens.private_key: {file} is not a private key in JWK format"]) from error


def refuse_player(player: str, *, anonymous: bool) -> None:
    """Raises ValueError for a name that the ingress would refuse. The ingress prefixes an anonymous name."""
    name = ANONYMOUS_PREFIX + player if anonymous else player
    if not (player and matches_player(name)) or player.startswith(ANONYMOUS_PREFIX):
        raise ValueError(f"--player {player!r}: {PLAYER_RULE}")
