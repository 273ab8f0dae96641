"""Tokens of the local issuer."""

import json
import time
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from ops.config import Settings, SettingsError
from ops.tokens.issuer import AUDIENCE, ISSUER, PRIVATE_KEY_FILE, PUBLIC_KEYS_FILE, ensure_issuer
from ops.tokens.token import make_token
from schemas.games.scopes import GAMES_SCOPE
from serving.tokens.check import claim_rules
from serving.tokens.identity import identity_of

SCOPES = (GAMES_SCOPE, "another")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an issuer of their own."""
    return Settings.model_validate({"tokens": ensure_issuer(tmp_path)})


def read(token: str, folder: Path) -> jwt.Token:
    """The token, verified with the public keys alone."""
    keys = KeySet.import_key_set(json.loads((folder / PUBLIC_KEYS_FILE).read_text()))
    return jwt.decode(token, keys, algorithms=["ES256"])


def test_a_token_says_who_where_what_and_for_how_long(settings: Settings, tmp_path: Path) -> None:
    """RFC 7519's claims, with the app beside them."""
    before = int(time.time())
    token = read(make_token(settings, "demo", "ann", SCOPES, seconds=60), tmp_path)
    issued = token.claims.pop("iat")
    assert before <= issued <= time.time()
    assert {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "app": "demo",
        "scope": f"{GAMES_SCOPE} another",
        "exp": issued + 60,
    } == token.claims


def test_a_token_names_its_algorithm_and_key(settings: Settings, tmp_path: Path) -> None:
    """ES256 only: a verifier need not trust another algorithm in a header."""
    (key,) = json.loads((tmp_path / PUBLIC_KEYS_FILE).read_text())["keys"]
    header = read(make_token(settings, "demo", "ann", SCOPES), tmp_path).header
    assert ("ES256", key["kid"]) == (header["alg"], header["kid"])


def test_b6_an_anonymous_token_says_so_and_the_ingress_marks_its_actor(settings: Settings, tmp_path: Path) -> None:
    """The prefix is nothing an issuer writes."""
    claims = read(make_token(settings, "demo", "ann", SCOPES, anonymous=True), tmp_path).claims
    assert ("ann", True) == (claims["sub"], claims["anonymous"])
    assert "~ann" == identity_of(claims, claim_rules(settings.tokens), time.time()).player


def test_a_token_has_its_claims_under_the_names_the_ingress_is_set_to(tmp_path: Path) -> None:
    """Or the local issuer would be of no use with them."""
    names = {"app_claim": "tenant", "player_claim": "uid", "scope_claim": "scp", "anonymous_claim": "guest"}
    settings = Settings.model_validate({"tokens": ensure_issuer(tmp_path) | names})
    claims = read(make_token(settings, "demo", "ann", SCOPES, anonymous=True), tmp_path).claims
    identity = identity_of(claims, claim_rules(settings.tokens), time.time())
    assert ("demo", "~ann", frozenset(SCOPES)) == (identity.app, identity.player, identity.scopes)


@pytest.mark.parametrize("player", ["", "~ann", "a/b", "a\n", "x" * 129])
def test_a_player_no_key_could_hold_is_refused(settings: Settings, player: str) -> None:
    """The option is named."""
    for anonymous in (False, True):
        with pytest.raises(ValueError, match="--player"):
            make_token(settings, "demo", player, SCOPES, anonymous=anonymous)


def test_an_anonymous_player_must_fit_with_its_prefix(settings: Settings) -> None:
    """128 characters are a player, but no anonymous one."""
    make_token(settings, "demo", "x" * 128, SCOPES)
    with pytest.raises(ValueError, match="--player"):
        make_token(settings, "demo", "x" * 128, SCOPES, anonymous=True)


@pytest.mark.parametrize("app", ["", "a/b", "a b", "x" * 65])
def test_an_app_no_key_could_hold_is_refused(settings: Settings, app: str) -> None:
    """The option is named."""
    with pytest.raises(ValueError, match="--app"):
        make_token(settings, app, "ann", SCOPES)


def test_without_an_issuer_the_setting_is_named() -> None:
    """A production machine has no private key."""
    with pytest.raises(SettingsError, match=r"tokens\.private_key"):
        make_token(Settings.model_validate({"tokens": {}}), "demo", "ann", SCOPES)


@pytest.mark.parametrize("content", [None, "no json", "{}"])
def test_a_key_that_cannot_be_read_is_named(settings: Settings, tmp_path: Path, content: str | None) -> None:
    """Missing, or not a key."""
    file = tmp_path / PRIVATE_KEY_FILE
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=rf"tokens\.private_key: {file}"):
        make_token(settings, "demo", "ann", SCOPES)


def test_the_issuer_keeps_its_key(tmp_path: Path) -> None:
    """Tokens outlive a run."""
    first = Settings.model_validate({"tokens": ensure_issuer(tmp_path)})
    token = make_token(first, "demo", "ann", SCOPES)
    ensure_issuer(tmp_path)
    assert "ann" == read(token, tmp_path).claims["sub"]


def test_the_public_keys_hold_nothing_private(settings: Settings, tmp_path: Path) -> None:
    """They are what an ingress is given."""
    assert settings.tokens.jwks is not None
    assert str(tmp_path / PUBLIC_KEYS_FILE) == settings.tokens.jwks.get_secret_value()
    (key,) = json.loads((tmp_path / PUBLIC_KEYS_FILE).read_text())["keys"]
    assert "d" not in key
