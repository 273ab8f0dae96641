"""Whatever a stranger sends as a token is 401: never 500, never a way in (B6)."""

import asyncio
import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from ingress.auth.authenticator import Authenticator
from schemas.errors.table import Refusal
from serving.http.request import bearer_token
from serving.refused import Refused
from serving.tokens.identity import BadToken, Identity, identity_of
from serving.tokens.signed import _REGISTRY
from tests.clock import TestClock
from tests.ingress.rig import GAMES, NOW, RULES, Rig, claims, issuer_key, signed_tokens, token

NOW_SECONDS = NOW / 1000
AUTHENTICATOR = Authenticator(signed_tokens(TestClock()))

names = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "use", "zip", "enc"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
headers = st.dictionaries(
    names, values | st.sampled_from(["Ed25519", "none", "HS256", "k1", ["b64"], ["exp"], "DEF"]), max_size=5
)
claim_names = st.sampled_from(["iss", "aud", "exp", "nbf", "sub", "app", "scope", "anonymous"])


def part(value: object) -> str:
    return encoded(json.dumps(value).encode())


def encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def is_refused(header: bytes) -> bool:
    """Whether it is 401."""
    try:
        asyncio.run(AUTHENTICATOR.identify(bearer_token(header), NOW_SECONDS))
    except Refused as refused:
        return refused.refusal in (Refusal.UNAUTHENTICATED, Refusal.NO_TOKEN)
    return False


@given(st.binary(max_size=300))
def test_b6_any_bytes_are_401(text: bytes) -> None:
    """Of any scheme, or none."""
    assert is_refused(text)
    assert is_refused(b"Bearer " + text)


@given(st.binary(max_size=100), st.binary(max_size=200), st.binary(max_size=100))
def test_b6_any_three_parts_are_401(header: bytes, payload: bytes, signature: bytes) -> None:
    """The form of a JWT, and nothing in it."""
    assert is_refused(f"Bearer {encoded(header)}.{encoded(payload)}.{encoded(signature)}".encode())


@given(headers | values, values)
def test_b6_any_json_is_401(header: object, payload: object) -> None:
    """Headers of the right names and wrong types; payloads that are no claims."""
    _, good, signature = token().split(".")
    for text in (f"{part(header)}.{part(payload)}.{signature}", f"{part(header)}.{good}.{signature}"):
        assert is_refused(f"Bearer {text}".encode())


@given(st.dictionaries(claim_names, values, min_size=1))
def test_b6_a_wrong_type_in_a_claim_makes_no_identity_but_a_right_one(changed: dict[str, object]) -> None:
    """Verified claims of any shape: an identity that fits every id, or BadToken, and nothing else."""
    try:
        found = identity_of({**claims(), **changed}, RULES, NOW_SECONDS)
    except BadToken:
        return
    assert isinstance(found, Identity)
    assert found.player.startswith("~") == found.anonymous
    assert "/" not in found.player + found.app
    assert found.expires_seconds > NOW_SECONDS


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 3000,
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b'{"exp":' + b"9" * 5000 + b"}",
        b'{"exp":1e999}',
        b'{"exp":NaN}',
        b"\xef\xbb\xbf{}",
        b'{"sub":"\\ud800"}',
        b"",
        b"null",
    ],
)
async def test_b6_deep_huge_and_odd_json_is_401(rig: Rig, payload: bytes) -> None:
    """Signed by the right key even; the answer is a whole one."""
    signed = jws.serialize_compact({"alg": "Ed25519", "kid": "k1"}, payload, issuer_key(), registry=_REGISTRY)
    deep = f"{encoded(payload)}.{encoded(payload)}."
    for text in (signed, deep):
        answer = await rig.post(b"{}", authorization=f"Bearer {text}")
        assert (401, "authError") == (answer.status, answer.json["error"]["errors"][0]["reason"])
    assert rig.topic.records == []


def test_the_good_token_of_these_tests_is_good() -> None:
    """Or every refusal above would say nothing."""
    assert not is_refused(f"Bearer {token(scope=GAMES)}".encode())
