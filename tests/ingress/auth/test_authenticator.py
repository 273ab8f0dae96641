"""Tokens: which are refused, which are cached (B6, G21)."""

import base64
import hmac
import json
from collections.abc import Awaitable

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from ingress.auth.authenticator import Authenticator, require_record_scope
from ingress.http.metrics import Metrics
from schemas.canary import CANARY_APP, CANARY_SCOPE
from schemas.errors.table import Refusal
from serving.http.replies import refusal_reply
from serving.http.request import bearer_token
from serving.refused import Refused
from serving.tokens.identity import Identity
from serving.tokens.keys import IssuerKeys
from serving.tokens.signed import _REGISTRY, SignedTokens
from tests.clock import TestClock
from tests.ingress.rig import NOW, RULES, claims, public_keys, signed_tokens, token
from tests.serving.tokens.issuer import key, keys_text

NOW_SECONDS = NOW / 1000


def authenticator(*keys: OKPKey | ECKey | RSAKey | OctKey) -> Authenticator:
    return Authenticator(signed_tokens(TestClock(), KeySet(list(keys)) if keys else None))


async def refusal(call: Awaitable[object]) -> Refusal:
    with pytest.raises(Refused) as caught:
        await call
    return caught.value.refusal


def bearer(text: str) -> str | None:
    """The WWW-Authenticate header of the answer."""
    return bearer_token(f"Bearer {text}".encode())


def part(value: object) -> str:
    """One part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(by: OKPKey | ECKey | RSAKey, algorithm: str, **header: object) -> str:
    return jwt.encode({"alg": algorithm, **header}, claims(), by, algorithms=[algorithm])


async def test_b6_a_good_token_names_app_player_and_scopes() -> None:
    """The whole way through."""
    identity = await authenticator().identify(bearer(token(scope="a b")), NOW_SECONDS)
    assert Identity("demo", "ann", frozenset("ab"), NOW // 1000 + 3600) == identity


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "sub", "app", "scope"])
async def test_b6_any_claim_missing_is_401(missing: str) -> None:
    """Each of the six."""
    sent = bearer(token(**{missing: None}))
    assert Refusal.UNAUTHENTICATED == await refusal(authenticator().identify(sent, NOW_SECONDS))


@pytest.mark.parametrize("header", [None, b"", b"Bearer", b"Bearer ", b"Basic YTpi"])
async def test_b6_no_token_is_401_without_an_error_code(header: bytes | None) -> None:
    """RFC 6750, section 3.1: a request without a token gets only the scheme."""
    found = await refusal(authenticator().identify(bearer_token(header), NOW_SECONDS))
    assert Refusal.NO_TOKEN == found
    assert b'Bearer realm="tallymill"' == dict(refusal_reply(found).headers)[b"www-authenticate"]


@pytest.mark.parametrize("text", [b"x.y.z", b"\xff\xfe", b"x" * 9000, b"..", b"a", b"a b"])
async def test_b6_what_is_no_token_of_ours_is_401_invalid_token(text: bytes) -> None:
    """Whatever it is."""
    found = await refusal(authenticator().identify(bearer_token(b"Bearer " + text), NOW_SECONDS))
    assert Refusal.UNAUTHENTICATED == found
    assert b'error="invalid_token"' in dict(refusal_reply(found).headers)[b"www-authenticate"]


def test_the_scheme_is_read_without_regard_to_case() -> None:
    """RFC 9110, section 11.1."""
    assert bearer_token(b"bEARER abc ") == "abc"


async def test_b6_a_token_of_another_key_is_401() -> None:
    """Though it bears the name of the right one."""
    forged = signed(OKPKey.generate_key("Ed25519"), "Ed25519", kid="k1")
    assert Refusal.UNAUTHENTICATED == await refusal(authenticator().identify(bearer(forged), NOW_SECONDS))


async def test_b6_a_symmetric_signature_is_401_whatever_the_key() -> None:
    """Otherwise anyone who knows the public key could sign with its text."""
    rsa, secret = RSAKey.generate_key(2048, {"kid": "k1"}), OctKey.generate_key(256, {"kid": "k1"})
    texts = (secret.raw_value, rsa.as_pem(private=False), json.dumps(rsa.as_dict(private=False)).encode())
    for text in texts:
        signing_input = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part(claims())}"
        mac = hmac.digest(text, signing_input.encode(), "sha256")
        forged = f"{signing_input}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        for one in (authenticator(rsa), authenticator(secret, rsa)):
            assert Refusal.UNAUTHENTICATED == await refusal(one.identify(bearer(forged), NOW_SECONDS))


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS512", "", 7, ["Ed25519"], None])
async def test_b6_no_header_talks_us_into_another_algorithm(alg: object) -> None:
    """Also with the good signature of the right key."""
    header = part({"alg": alg, "kid": "k1"})
    _, payload, signature = token().split(".")
    for text in (f"{header}.{payload}.", f"{header}.{payload}.{signature}"):
        assert Refusal.UNAUTHENTICATED == await refusal(authenticator().identify(bearer(text), NOW_SECONDS))


@pytest.mark.parametrize(
    ("by", "algorithm"),
    [
        (OKPKey.generate_key("Ed25519", {"kid": "x"}), "EdDSA"),
        (ECKey.generate_key("P-256", {"kid": "x"}), "ES256"),
        (RSAKey.generate_key(2048, {"kid": "x"}), "RS256"),
    ],
    ids=["EdDSA", "ES256", "RS256"],
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_the_three_asymmetric_algorithms_are_taken(by: OKPKey | ECKey | RSAKey, algorithm: str) -> None:
    """With a key of its type."""
    sent = bearer(signed(by, algorithm, kid="x"))
    assert "ann" == (await authenticator(by).identify(sent, NOW_SECONDS)).player


async def test_b6_a_key_is_used_for_what_it_is_meant_for() -> None:
    """`use` and `alg` of the key set bind (RFC 7517)."""
    for name, meant in (("use", "enc"), ("alg", "RS512")):
        rsa = RSAKey.generate_key(2048, {"kid": "x"})
        sent = bearer(signed(rsa, "RS256", kid="x"))
        # Beside a good key, or the set read anew would hold none, and nobody could tell.
        other = OKPKey.generate_key("Ed25519", {"kid": "y"})
        one = authenticator(RSAKey.import_key({**rsa.as_dict(private=False), name: meant}), other)
        assert Refusal.UNAUTHENTICATED == await refusal(one.identify(sent, NOW_SECONDS))


async def test_a_token_that_names_no_key_is_tried_with_all() -> None:
    """`kid` is optional (RFC 7515), also while there are two keys; unknown header parameters are ignored."""
    other, mine = OKPKey.generate_key("Ed25519"), ECKey.generate_key("P-256")
    sent = bearer(signed(mine, "ES256"))
    assert "ann" == (await authenticator(other, mine).identify(sent, NOW_SECONDS)).player
    odd = jwt.encode(
        {"alg": "Ed25519", "nonce": "x" * 600},
        claims(),
        other,
        registry=_REGISTRY,
    )
    assert "ann" == (await authenticator(other, mine).identify(bearer(odd), NOW_SECONDS)).player


async def test_g21_a_remembered_token_still_expires() -> None:
    """401, the same second."""
    one, sent = authenticator(), bearer(token())
    await one.identify(sent, NOW_SECONDS)
    assert Refusal.UNAUTHENTICATED == await refusal(one.identify(sent, NOW_SECONDS + 3600))


async def test_a_known_token_costs_no_signature_and_no_turn_of_the_loop() -> None:
    """The hot path: the coroutine ends at its first step."""
    one, sent = authenticator(), bearer(token())
    first = await one.identify(sent, NOW_SECONDS)
    with pytest.raises(StopIteration) as done:
        one.identify(sent, NOW_SECONDS).send(None)
    assert first is done.value.value


async def test_a_withdrawn_key_makes_its_remembered_tokens_worthless() -> None:
    """A set that is the same again makes nothing be forgotten."""
    keys = IssuerKeys(keys_text(KeySet([key("k2")])), 10, TestClock(), Metrics().tokens)
    tokens = SignedTokens(RULES, keys, 300)
    keys.use(public_keys())
    first = await tokens.identity(token(), NOW_SECONDS)
    keys.use(public_keys())
    assert first is await tokens.identity(token(), NOW_SECONDS)
    await keys.read()
    sent = bearer(token())
    assert Refusal.UNAUTHENTICATED == await refusal(Authenticator(tokens).identify(sent, NOW_SECONDS))


async def test_before_there_are_keys_nobody_is_told_that_his_token_is_bad() -> None:
    """503: it may be a good one."""
    one = Authenticator(SignedTokens(RULES, IssuerKeys("/no/such/file", 10, TestClock(), Metrics().tokens), 300))
    assert not one.ready
    assert Refusal.TOKEN_UNCHECKED == await refusal(one.identify(bearer(token()), NOW_SECONDS))


async def test_g21_a_missing_scope_is_403_and_names_the_one_that_would_do() -> None:
    """RFC 6750: insufficient_scope."""
    identity = await authenticator().identify(bearer(token(scope="email")), NOW_SECONDS)
    with pytest.raises(Refused) as caught:
        require_record_scope(identity)
    reply = refusal_reply(caught.value.refusal)
    expected = b'Bearer realm="tallymill", error="insufficient_scope", scope="https://www.googleapis.com/auth/games"'
    assert (403, expected) == (reply.status, dict(reply.headers)[b"www-authenticate"])


async def test_b6_an_anonymous_token_is_403_on_the_games_api() -> None:
    """With the right scope, too; no scope is named, for none would help."""
    identity = await authenticator().identify(bearer(token(anonymous=True)), NOW_SECONDS)
    with pytest.raises(Refused) as caught:
        require_record_scope(identity)
    reply = refusal_reply(caught.value.refusal)
    assert (Refusal.ANONYMOUS, 403) == (caught.value.refusal, reply.status)
    assert b'Bearer realm="tallymill", error="insufficient_scope"' == dict(reply.headers)[b"www-authenticate"]


async def test_the_canary_s_app_needs_a_scope_of_its_own() -> None:
    """Its name is reserved: a token of it without the scope is 403, and names the scope."""
    with pytest.raises(Refused) as caught:
        await authenticator().identify(bearer(token(app=CANARY_APP)), NOW_SECONDS)
    reply = refusal_reply(caught.value.refusal)
    assert (403, b'scope="tallymill.canary"') == (
        reply.status,
        dict(reply.headers)[b"www-authenticate"].rpartition(b", ")[2],
    )
    allowed = bearer(token(app=CANARY_APP, scope=f"x {CANARY_SCOPE}"))
    assert CANARY_APP == (await authenticator().identify(allowed, NOW_SECONDS)).app
