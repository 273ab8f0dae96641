"""Tokens of readers (Q2).

What their claims must say is one with the ingress: tests/serving/tokens/test_claims_contract.py.
"""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, OKPKey

from console.access.callers import Callers
from ingress.http.metrics import Metrics
from schemas.errors.table import Refusal
from schemas.wire.console_replies import READ_SCOPE
from serving.http.replies import refusal_reply
from serving.http.request import Request
from serving.refused import Refused
from serving.tokens.authenticator import Authenticator
from serving.tokens.keys import IssuerKeys
from serving.tokens.signed import SignedTokens
from tests.clock import TestClock
from tests.console.requests import request
from tests.console.rig import read_token
from tests.ingress.rig import RULES, claims, signed_tokens


def callers(keys: KeySet | None = None) -> Callers:
    return Callers(Authenticator(signed_tokens(TestClock(), keys)))


def asked(authorization: str | None) -> Request:
    headers = {} if authorization is None else {"authorization": authorization}
    return request(headers=headers, wall_millis=time.time_ns() // 1_000_000)


async def refusal(authorization: str | None, some: Callers | None = None) -> Refusal:
    with pytest.raises(Refused) as caught:
        await (some or callers()).allowed(asked(authorization), READ_SCOPE)
    return caught.value.refusal


def bearer(text: str) -> str:
    return f"Bearer {text}"


@pytest.mark.parametrize("scope", [f"a {READ_SCOPE}", ["a", READ_SCOPE]])
async def test_q2_a_good_token_names_its_app(scope: object) -> None:
    """Besides the app only the scope is read, a text or a list."""
    assert "demo" == (await callers().allowed(asked(bearer(read_token(scope=scope))), READ_SCOPE)).app


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi"])
async def test_q2_no_token_is_401_without_an_error_code(header: str | None) -> None:
    """RFC 6750, section 3.1, as at the ingress."""
    found = await refusal(header)
    assert Refusal.NO_TOKEN is found
    assert b'Bearer realm="tallymill"' == dict(refusal_reply(found).headers)[b"www-authenticate"]


@pytest.mark.parametrize("header", ["Bearer x.y.z", "Bearer " + "x" * 9000, "Bearer ÿ"])
async def test_q2_a_malformed_token_is_401_invalid_token(header: str) -> None:
    """Whatever an untrusted client sends."""
    found = await refusal(header)
    assert Refusal.UNAUTHENTICATED is found
    assert b'error="invalid_token"' in dict(refusal_reply(found).headers)[b"www-authenticate"]


async def test_q2_a_missing_scope_is_403_and_is_named() -> None:
    """RFC 6750: insufficient_scope."""
    reply = refusal_reply(await refusal(bearer(read_token(scope="email"))))
    expected = b'Bearer realm="tallymill", error="insufficient_scope", scope="tallymill.read"'
    assert (403, expected) == (reply.status, dict(reply.headers)[b"www-authenticate"])


async def test_q2_a_token_of_another_key_or_a_symmetric_one_is_401() -> None:
    """Otherwise a client could use the text of the public key as a shared secret, and sign with it."""
    good = claims(scope=READ_SCOPE, exp=int(time.time()) + 60)
    stranger = OKPKey.generate_key("Ed25519", {"kid": "k1"})
    forged = jwt.encode({"alg": "Ed25519", "kid": "k1"}, good, stranger, algorithms=["Ed25519"])
    assert Refusal.UNAUTHENTICATED is await refusal(bearer(forged))
    secret = OctKey.generate_key(256, {"kid": "k1"})
    forged = jwt.encode({"alg": "HS256", "kid": "k1"}, good, secret)
    assert Refusal.UNAUTHENTICATED is await refusal(bearer(forged), callers(KeySet([secret])))


async def test_q10_without_keys_no_token_is_called_invalid() -> None:
    """They get 503, and retry."""
    unread = IssuerKeys("/no/such/file", 10, TestClock(), Metrics().tokens)
    found = await refusal(bearer(read_token()), Callers(Authenticator(SignedTokens(RULES, unread, 300))))
    assert Refusal.TOKEN_UNCHECKED is found
    assert b"1" == dict(refusal_reply(found).headers)[b"retry-after"]
