"""Tokens: what is refused, what is remembered (B6, G21)."""

import math
from collections.abc import Callable

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from ingress.answers import Refusal, Refused
from ingress.auth import Authenticator, BadToken, bearer_token, identity_of, require_record_scope
from tests.ingress.rig import AUDIENCE, ISSUER, NOW, claims, public_keys, token

NOW_SECONDS = NOW / 1000


def authenticator(keys: KeySet | None = None) -> Authenticator:
    one = Authenticator(ISSUER, AUDIENCE)
    one.use_keys(keys or public_keys())
    return one


def refusal(call: Callable[[], object]) -> Refusal:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.refusal


def bearer(text: str) -> bytes:
    return f"Bearer {text}".encode()


def test_b6_a_good_token_names_app_player_and_scopes() -> None:
    identity = authenticator().identify(bearer(token(scope="a b")), NOW_SECONDS)
    assert (identity.app, identity.player, identity.scopes) == ("demo", "ann", frozenset("ab"))
    assert identity.actor == "demo/ann"


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "sub", "app", "scope"])
def test_b6_any_claim_missing_is_401(missing: str) -> None:
    sent = bearer(token(**{missing: None}))
    assert refusal(lambda: authenticator().identify(sent, NOW_SECONDS)) is Refusal.UNAUTHENTICATED


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.test"},
        {"aud": "other"},
        {"aud": ["other"]},
        {"exp": NOW // 1000},
        {"exp": math.nan},
        {"exp": "2200000000"},
        {"exp": True},
        {"nbf": NOW // 1000 + 60},
        {"nbf": "soon"},
        {"sub": "a/b"},
        {"sub": ""},
        {"sub": 7},
        {"sub": "\ud800"},
        {"app": "de.mo"},
        {"app": "demo\n"},
        {"scope": ["games"]},
    ],
)
def test_b6_a_claim_that_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadToken):
        identity_of(claims(**wrong), ISSUER, AUDIENCE, NOW_SECONDS)


def test_b6_an_audience_among_several_will_do() -> None:
    assert identity_of(claims(aud=["other", AUDIENCE]), ISSUER, AUDIENCE, NOW_SECONDS).player == "ann"


@pytest.mark.parametrize(
    "header",
    [None, b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Bearer x.y.z", b"Bearer \xff\xfe", b"Bearer " + b"x" * 9000],
)
def test_b6_what_is_no_token_is_401(header: bytes | None) -> None:
    assert refusal(lambda: authenticator().identify(header, NOW_SECONDS)) is Refusal.UNAUTHENTICATED


def test_the_scheme_is_read_without_regard_to_case() -> None:
    assert bearer_token(b"bEARER abc ") == "abc"


def test_b6_a_token_of_another_key_is_401() -> None:
    stranger = OKPKey.generate_key("Ed25519", {"kid": "k1"})
    forged = jwt.encode({"alg": "Ed25519", "kid": "k1"}, claims(), stranger, algorithms=["Ed25519"])
    assert refusal(lambda: authenticator().identify(bearer(forged), NOW_SECONDS)) is Refusal.UNAUTHENTICATED


def test_b6_a_symmetric_signature_is_401_whatever_the_key() -> None:
    """Else whoever can read the public key could sign with its text."""
    secret = OctKey.generate_key(256, {"kid": "k1"})
    forged = jwt.encode({"alg": "HS256", "kid": "k1"}, claims(), secret)
    both = authenticator(KeySet([secret]))
    assert refusal(lambda: both.identify(bearer(forged), NOW_SECONDS)) is Refusal.UNAUTHENTICATED
    none = "eyJhbGciOiJub25lIn0." + token().split(".")[1] + "."
    assert refusal(lambda: both.identify(bearer(none), NOW_SECONDS)) is Refusal.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (OKPKey.generate_key("Ed25519", {"kid": "x"}), "EdDSA"),
        (ECKey.generate_key("P-256", {"kid": "x"}), "ES256"),
        (RSAKey.generate_key(2048, {"kid": "x"}), "RS256"),
    ],
    ids=["EdDSA", "ES256", "RS256"],
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_the_three_asymmetric_algorithms_are_taken(key: OKPKey | ECKey | RSAKey, algorithm: str) -> None:
    signed = jwt.encode({"alg": algorithm, "kid": "x"}, claims(), key, algorithms=[algorithm])
    assert authenticator(KeySet([key])).identify(bearer(signed), NOW_SECONDS).player == "ann"


def test_g21_a_remembered_token_still_expires() -> None:
    one, sent = authenticator(), bearer(token())
    one.identify(sent, NOW_SECONDS)
    assert refusal(lambda: one.identify(sent, NOW_SECONDS + 3600)) is Refusal.UNAUTHENTICATED


def test_a_withdrawn_key_makes_its_remembered_tokens_worthless() -> None:
    one, sent = authenticator(), bearer(token())
    one.identify(sent, NOW_SECONDS)
    one.use_keys(KeySet([OKPKey.generate_key("Ed25519", {"kid": "k2"})]))
    assert refusal(lambda: one.identify(sent, NOW_SECONDS)) is Refusal.UNAUTHENTICATED


def test_before_there_are_keys_nobody_is_told_that_his_token_is_bad() -> None:
    one = Authenticator(ISSUER, AUDIENCE)
    assert not one.ready
    assert refusal(lambda: one.identify(bearer(token()), NOW_SECONDS)) is Refusal.UNAVAILABLE


def test_g21_a_missing_scope_is_403() -> None:
    identity = authenticator().identify(bearer(token(scope="email")), NOW_SECONDS)
    assert refusal(lambda: require_record_scope(identity)) is Refusal.FORBIDDEN
