"""Claims to app, player and scopes (B6, G21)."""

import math
from dataclasses import replace

import pytest

from schemas.wire.console_replies import READ_SCOPE
from serving.tokens.identity import BadToken, ClaimRules, Identity, identity_of
from tests.ingress.rig import AUDIENCE, ISSUER, NOW, RULES, claims

NOW_SECONDS = NOW // 1000


# Each makes good claims bad. Every checker of tokens is tested with them (test_claims_contract.py).
HOSTILE: list[dict[str, object]] = [
    {"iss": "https://other.test"},
    {"iss": [ISSUER]},
    {"aud": "other"},
    {"aud": ["other"]},
    {"aud": {AUDIENCE: 1}},
    {"exp": NOW // 1000},
    {"exp": math.nan},
    {"exp": math.inf},
    {"exp": 10**400},
    {"exp": -1},
    {"exp": "2200000000"},
    {"exp": True},
    {"exp": [2200000000]},
    {"nbf": NOW // 1000 + 60},
    {"nbf": math.nan},
    {"nbf": False},
    {"nbf": "soon"},
    {"sub": "a/b"},
    {"sub": ""},
    {"sub": 7},
    {"sub": "~ann"},
    {"sub": "\ud800"},
    {"sub": "x" * 129},
    {"sub": "a\x00"},
    {"app": "de.mo"},
    {"app": "demo\n"},
    {"app": ["demo"]},
    {"scope": 7},
    {"scope": ["games", 7]},
    {"scope": {"games": True}},
    {"scope": [READ_SCOPE, 7]},
    {"scope": {READ_SCOPE: True}},
    {"anonymous": "true"},
    {"anonymous": 1},
    {"anonymous": []},
]


def named(rules: ClaimRules = RULES, **changed: object) -> Identity:
    return identity_of(claims(**changed), rules, NOW_SECONDS)


def test_b6_claims_name_app_player_and_scopes() -> None:
    """And until when."""
    expected = Identity("demo", "ann", frozenset("ab"), NOW_SECONDS + 3600)
    assert expected == named(scope="a b")
    assert "demo/ann" == expected.actor


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "sub", "app", "scope"])
def test_b6_any_claim_missing_is_refused(missing: str) -> None:
    """Each of the six."""
    with pytest.raises(BadToken):
        named(RULES, **{missing: None})


@pytest.mark.parametrize("wrong", HOSTILE)
def test_b6_a_claim_that_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    """Wrong in type as in value: nothing is guessed."""
    with pytest.raises(BadToken):
        named(RULES, **wrong)


def test_b6_an_audience_among_several_will_do() -> None:
    """`aud` is a list as well (RFC 7519)."""
    assert "ann" == named(aud=["other", AUDIENCE]).player


def test_b6_scopes_may_be_a_list_of_strings() -> None:
    """As some issuers send them, in `scp`."""
    rules = replace(RULES, scope_claim="scp")
    assert frozenset(("a", "b")) == named(rules, scp=["a", "b"]).scopes


def test_b6_claim_names_are_settings() -> None:
    """A name in the form of a URL is a name like any other."""
    rules = replace(
        RULES, app_claim="https://x.test/app", player_claim="uid", scope_claim="scp", anonymous_claim="guest"
    )
    renamed = {"https://x.test/app": "demo", "uid": "bob", "scp": "s", "guest": True, "app": "other", "sub": "ann"}
    one = identity_of(claims(**renamed), rules, NOW_SECONDS)
    assert ("demo", "~bob", True) == (one.app, one.player, one.anonymous)
    with pytest.raises(BadToken):
        named(rules)


def test_b6_an_anonymous_actor_carries_the_prefix() -> None:
    """It is put there by us, whatever the issuer writes."""
    one = named(anonymous=True)
    assert ("~ann", "demo/~ann", True) == (one.player, one.actor, one.anonymous)
    assert ("ann", False) == (named(anonymous=False).player, named(anonymous=False).anonymous)


@pytest.mark.parametrize("anonymous", [True, False, None])
@pytest.mark.parametrize("sub", ["~ann", "~", "~~"])
def test_b6_no_claim_brings_the_prefix_along(sub: str, *, anonymous: bool | None) -> None:
    """Or a player could take an anonymous actor's id, or one anonymous actor another's."""
    with pytest.raises(BadToken):
        named(sub=sub, anonymous=anonymous)


@pytest.mark.parametrize("sub", ["", "x" * 128])
def test_b6_an_anonymous_name_must_fit_with_its_prefix(sub: str) -> None:
    """A bare prefix names no actor."""
    with pytest.raises(BadToken):
        named(sub=sub, anonymous=True)


def test_g21_the_leeway_holds_for_both_ends() -> None:
    """No more than it is set to."""
    rules = replace(RULES, leeway_seconds=5)
    assert NOW_SECONDS + 1 == named(rules, exp=NOW_SECONDS - 4).expires_seconds
    assert "ann" == named(rules, nbf=NOW_SECONDS + 5).player
    for late in ({"exp": NOW_SECONDS - 5}, {"nbf": NOW_SECONDS + 6}):
        with pytest.raises(BadToken):
            named(rules, **late)


def test_partial_claims_may_be_absent_but_not_wrong() -> None:
    """What RFC 7662 leaves optional, and no more."""
    rules = replace(RULES, partial=True)
    assert math.inf == named(rules, iss=None, aud=None, exp=None).expires_seconds
    for wrong in ({"iss": "x"}, {"aud": "x"}, {"exp": 1}, {"exp": "x"}, {"sub": None}, {"app": None}, {"scope": None}):
        with pytest.raises(BadToken):
            named(rules, **wrong)
