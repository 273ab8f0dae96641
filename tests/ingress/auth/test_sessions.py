"""`POST /v1/sessions`: who gets an anonymous token, and what it allows."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from pydantic import ValidationError

from ingress.auth.sessions import ISSUER, KEY_ID_PREFIX, SessionKey, WithSessions, read_session_key, session_key
from ingress.config import TokenSettings
from serving.start import StartRefused
from serving.tokens.identity import BadToken, Identity
from tests.clock import TestClock
from tests.ingress.rig import NOW, Answer, Rig, own_key, signed_tokens, token
from tests.samples import item, pool

JSON = {"content-type": "application/json"}


async def ask(rig: Rig, app: object = "demo", **more: str) -> Answer:
    return await rig.call("POST", "/v1/sessions", JSON | more, [json.dumps({"app": app}).encode()])


async def test_a_session_is_an_actor_of_its_own_that_may_send_events(rig: Rig) -> None:
    """Two sessions are two actors. The token is valid as long as it says."""
    first, second = (await ask(rig)).json, (await ask(rig)).json
    assert first["actor"] != second["actor"]
    assert 200 == (await rig.add(pool(item(), Token=first["token"]), bearer="")).status
    assert [f"demo/{first['actor']}".encode()] == [one.key for one in rig.analytics_topic.records]
    rig.clock.now_millis += first["expiresIn"] * 1000
    assert 401 == (await rig.add(pool(item(), Token=first["token"]), bearer="")).status
    assert 2 == rig.metric("sessions_total")


async def test_a_session_opens_nothing_of_the_games_api(rig: Rig) -> None:
    """It has no scope, and no player."""
    bearer = {"authorization": f"Bearer {(await ask(rig)).json['token']}"}
    assert [403, 403] == [(await rig.get(path, **bearer)).status for path in ("/games/v1/events", "/v1/requests/7")]


async def test_only_apps_that_allow_it_have_sessions(rig: Rig) -> None:
    """And none does by default."""
    answer = await ask(rig, "other")
    assert (403, "insufficientPermissions") == (answer.status, answer.json["error"]["errors"][0]["reason"])
    assert ((), None) == (TokenSettings().session_apps, session_key(TokenSettings()))


@pytest.mark.parametrize(("app", "field"), [(None, "app"), (7, "app"), ("a b", "app"), ("x" * 65, "app")])
async def test_what_is_no_app_is_400_by_name(rig: Rig, app: object, field: str) -> None:
    """In Google's shape, as all under /v1."""
    answer = await ask(rig, app)
    assert 400 == answer.status
    assert [field] == [one["field"] for one in answer.json["error"]["details"][0]["fieldViolations"]]


async def test_what_is_no_json_or_too_large_is_refused(rig: Rig) -> None:
    """It is one short name."""
    assert 415 == (await rig.call("POST", "/v1/sessions", {"content-type": "text/plain"}, [b"{}"])).status
    assert 413 == (await rig.call("POST", "/v1/sessions", JSON, [b" " * 5_000])).status
    assert 405 == (await rig.call("GET", "/v1/sessions", JSON)).status


async def test_an_address_has_only_so_many() -> None:
    """In a window per address. Another address is not affected."""
    rig = Rig(max_sessions_per_address=2)
    answers = [await ask(rig) for _ in range(3)]
    assert [200, 200, 429] == [answer.status for answer in answers]
    assert int(answers[2].headers["retry-after"]) >= 1
    other = await rig.call("POST", "/v1/sessions", JSON, [b'{"app":"demo"}'], peer="203.0.113.9")
    assert 200 == other.status


def checked(key: SessionKey) -> WithSessions:
    return WithSessions(signed_tokens(TestClock()), key)


async def identity(key: SessionKey, sent: str) -> Identity:
    return await checked(key).identity(sent, NOW / 1000)


@pytest.mark.parametrize(
    "key",
    [OKPKey.generate_key("Ed25519"), ECKey.generate_key("P-256"), RSAKey.generate_key(2048)],
    ids=["Ed25519", "P-256", "RSA"],
)
async def test_a_key_of_each_kind_signs_and_verifies(key: Key) -> None:
    """And another ingress with the same file accepts what this one has signed."""
    sent = SessionKey(key).token("demo", "s1", NOW // 1000, 60)
    other = SessionKey(key)
    assert ("demo", "~s1", True) == ((who := await identity(other, sent)).app, who.player, who.anonymous)
    with pytest.raises(BadToken):
        await identity(other, sent[:-8] + "AAAAAAAA")


async def test_the_key_vouches_for_nobody_but_anonymous_actors() -> None:
    """A token of it that names a player is none; the issuer's tokens go their own way."""
    key = SessionKey(own_key())
    good: dict[str, Any] = {
        "iss": ISSUER,
        "aud": ISSUER,
        "exp": NOW // 1000 + 60,
        "sub": "ann",
        "app": "demo",
        "scope": "",
    }
    header = {"alg": "Ed25519", "kid": KEY_ID_PREFIX + own_key().thumbprint()}
    for claims in (good, good | {"anonymous": False}, good | {"anonymous": True, "sub": "~ann"}):
        with pytest.raises(BadToken):
            await identity(key, jwt.encode(header, claims, own_key(), algorithms=["Ed25519"]))
    assert "ann" == (await identity(key, token())).player
    assert checked(key).ready
    await key.keep(1)
    assert [] == await key.refresh("other", [])


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZg"}', None])
def test_a_file_that_can_not_sign_is_refused_at_the_start(tmp_path: Path, text: str | None) -> None:
    """By the setting's name."""
    file = tmp_path / "key.jwk"
    if text is not None:
        file.write_text(text)
    with pytest.raises(StartRefused, match=r"tokens\.session_key"):
        read_session_key(str(file))


@pytest.mark.parametrize("key", [ECKey.generate_key("P-384"), OKPKey.generate_key("X25519"), OctKey.generate_key(256)])
def test_a_key_of_another_kind_is_refused_at_the_start(tmp_path: Path, key: Key) -> None:
    """No accepted algorithm uses it."""
    (tmp_path / "key.jwk").write_text(json.dumps(key.as_dict(private=True)))
    with pytest.raises(StartRefused):
        read_session_key(str(tmp_path / "key.jwk"))


def test_a_public_key_signs_nothing(tmp_path: Path) -> None:
    """The start fails, not the first request."""
    (tmp_path / "key.jwk").write_text(json.dumps(own_key().as_dict(private=False)))
    with pytest.raises(StartRefused, match="private"):
        session_key(TokenSettings(session_key=str(tmp_path / "key.jwk")))


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"session_apps": ["demo"]}, "session_key"),
        ({"session_apps": ["demo"], "session_key": "k", "anonymous_apps": ["other"]}, "demo"),
    ],
)
def test_settings_that_would_be_of_no_use_are_refused(fields: dict[str, Any], word: str) -> None:
    """Without a key, or for an app that accepts no anonymous tokens."""
    with pytest.raises(ValidationError, match=word):
        TokenSettings.model_validate(fields)
