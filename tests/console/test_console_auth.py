"""Tokens of readers, and the keys that verify them (Q2): the ingress's rules, once more."""

import asyncio
import json
import math
import time
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, OKPKey

from console.answers import Refusal, Refused
from console.auth import READ_SCOPE, Authenticator, BadToken, bearer_token, reader_of
from console.keys import keep_keys
from serving.key_sets import NoKeys, read_keys
from tests.console.rig import read_token
from tests.ingress.rig import AUDIENCE, ISSUER, NOW, claims, public_keys

NOW_SECONDS = NOW / 1000


def authenticator(keys: KeySet | None = None) -> Authenticator:
    one = Authenticator(ISSUER, AUDIENCE)
    one.use_keys(keys or public_keys())
    return one


def refusal(authorization: str | None, one: Authenticator | None = None) -> Refusal:
    with pytest.raises(Refused) as caught:
        (one or authenticator()).reader(authorization, time.time())
    return caught.value.refusal


def test_q2_a_good_token_names_its_app() -> None:
    """The one thing that is read of it beside the scope."""
    assert "demo" == authenticator().reader(f"Bearer {read_token(scope=f'a {READ_SCOPE}')}", time.time()).app


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "sub", "app", "scope"])
def test_q2_any_claim_missing_is_401(missing: str) -> None:
    """Never 403: nobody is known yet."""
    assert Refusal.UNAUTHENTICATED is refusal(f"Bearer {read_token(**{missing: None})}")


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.test"},
        {"aud": ["other"]},
        {"exp": NOW // 1000},
        {"exp": math.nan},
        {"exp": "2200000000"},
        {"exp": True},
        {"nbf": NOW // 1000 + 60},
        {"nbf": "soon"},
        {"sub": "a/b"},
        {"sub": 7},
        {"app": "de.mo"},
        {"scope": [READ_SCOPE]},
    ],
)
def test_q2_a_claim_that_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    """As the ingress refuses it."""
    assert "demo" == reader_of(claims(aud=["x", AUDIENCE], nbf=1), ISSUER, AUDIENCE, NOW_SECONDS).app
    with pytest.raises(BadToken):
        reader_of(claims(**wrong), ISSUER, AUDIENCE, NOW_SECONDS)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer x.y.z", "Bearer " + "x" * 9000]
)
def test_q2_what_is_no_token_is_401(header: str | None) -> None:
    """Whatever a stranger sends."""
    assert Refusal.UNAUTHENTICATED is refusal(header)
    assert "abc" == bearer_token("bEARER abc ")


def test_q2_a_token_of_another_key_or_a_symmetric_one_is_401() -> None:
    """Else whoever can read the public key could sign with its text."""
    good = claims(scope=READ_SCOPE, exp=int(time.time()) + 60)
    stranger = OKPKey.generate_key("Ed25519", {"kid": "k1"})
    forged = jwt.encode({"alg": "Ed25519", "kid": "k1"}, good, stranger, algorithms=["Ed25519"])
    assert Refusal.UNAUTHENTICATED is refusal(f"Bearer {forged}")
    secret = OctKey.generate_key(256, {"kid": "k1"})
    forged = jwt.encode({"alg": "HS256", "kid": "k1"}, good, secret)
    assert Refusal.UNAUTHENTICATED is refusal(f"Bearer {forged}", authenticator(KeySet([secret])))


def test_before_there_are_keys_nobody_is_told_that_his_token_is_bad() -> None:
    """503: ask again."""
    assert Refusal.AWAY is refusal(f"Bearer {read_token()}", Authenticator(ISSUER, AUDIENCE))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}']
)
async def test_what_is_no_key_set_is_refused_with_a_reason(tmp_path: Path, text: str) -> None:
    """A symmetric key is none for us."""
    file = tmp_path / "jwks.json"
    file.write_text(text)
    with pytest.raises(NoKeys, match=r"jwks\.json"):
        await read_keys(str(file))


async def test_the_last_good_key_set_survives_an_outage_of_its_source(tmp_path: Path) -> None:
    """Tokens stay good while the issuer's site is down; its keys are read again when it is back."""
    file, text = tmp_path / "jwks.json", json.dumps(public_keys().as_dict(private=False))
    file.write_text(text)
    sets: asyncio.Queue[KeySet] = asyncio.Queue()
    keeping = asyncio.create_task(keep_keys(str(file), 0.001, sets.put_nowait))
    try:
        await asyncio.wait_for(sets.get(), 5)
        file.unlink()
        while not sets.empty():
            sets.get_nowait()
        file.write_text(text)
        assert ["k1"] == [key.kid for key in (await asyncio.wait_for(sets.get(), 5)).keys]
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_the_settings_may_hold_the_key_set_itself() -> None:
    """As the ingress's may: both read the same setting."""
    sets: asyncio.Queue[KeySet] = asyncio.Queue()
    keeping = asyncio.create_task(keep_keys(json.dumps(public_keys().as_dict(private=False)), 60, sets.put_nowait))
    try:
        assert ["k1"] == [key.kid for key in (await asyncio.wait_for(sets.get(), 5)).keys]
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
