"""One set of rules for claims (B6, G21, Q2): ingress or console, by signature or introspection, the verdict is one."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from pydantic import SecretStr

import ingress.auth.authenticator
from console.access.callers import Callers
from ingress.http.metrics import Metrics
from schemas.wire.console_replies import READ_SCOPE
from serving.refused import Refused
from serving.tokens.authenticator import Authenticator
from serving.tokens.bearer import TokenCheck
from serving.tokens.identity import ClaimRules, Identity
from serving.tokens.introspection import EndpointSettings, IntrospectedTokens, IntrospectionEndpoint
from serving.tokens.signed import _REGISTRY
from tests.clock import TestClock
from tests.console.requests import request
from tests.examples import examples
from tests.ingress.rig import AUDIENCE, GAMES, NOW, RULES, claims, issuer_key, signed_tokens
from tests.serving.tokens.test_identity import HOSTILE

NOW_SECONDS = NOW // 1000
SCOPES = f"{GAMES} {READ_SCOPE}"
RENAMED = replace(RULES, app_claim="https://x.test/app", player_claim="uid", scope_claim="scp", anonymous_claim="guest")

Verdict = Identity | int
Claims = Mapping[str, object]
Process = Callable[[TokenCheck, str], Awaitable[Verdict]]
Way = Callable[[Claims, ClaimRules], TokenCheck]


class Says(IntrospectionEndpoint):
    """An issuer to whom any token is active, with these claims."""

    def __init__(self, said: Claims) -> None:
        super().__init__(
            EndpointSettings("http://issuer.test", "id", SecretStr("secret"), 5, 1), TestClock(), Metrics().tokens
        )
        self._said = said

    async def _answer(self, _token: str) -> bytes:
        return json.dumps({"active": True, **self._said}).encode()


def signed(said: Claims) -> str:
    """As hostile as JSON can be: joserfc's own encoder would refuse some of it."""
    text = json.dumps(said).encode()
    return jws.serialize_compact({"alg": "Ed25519", "kid": "k1"}, text, issuer_key(), registry=_REGISTRY)


def by_signature(_said: Claims, rules: ClaimRules) -> TokenCheck:
    return signed_tokens(TestClock(), rules=rules)


def by_introspection(said: Claims, rules: ClaimRules) -> TokenCheck:
    return IntrospectedTokens(rules, Says(said), 60)


async def at_the_ingress(tokens: TokenCheck, bearer: str) -> Verdict:
    try:
        return await ingress.auth.authenticator.Authenticator(tokens).identify(bearer, NOW_SECONDS)
    except Refused as refused:
        return refused.refusal.value.code


async def at_the_console(tokens: TokenCheck, bearer: str) -> Verdict:
    try:
        asked = request(headers={"authorization": f"Bearer {bearer}"}, wall_millis=NOW_SECONDS * 1000)
        found = await Callers(Authenticator(tokens)).allowed(asked, READ_SCOPE)
    except Refused as refused:
        return refused.refusal.value.code
    anonymous = found.subject.startswith("~")
    return Identity(found.app, found.subject, found.scopes, found.expires_seconds, anonymous)


WAYS: list[tuple[Process, Way]] = [
    (process, way) for process in (at_the_ingress, at_the_console) for way in (by_signature, by_introspection)
]
everywhere = pytest.mark.parametrize(("process", "way"), WAYS)


async def verdict(process: Process, way: Way, said: Claims, rules: ClaimRules = RULES) -> Verdict:
    bearer = signed(said) if way is by_signature else "opaque"
    return await process(way(said, rules), bearer)


def good(**changed: object) -> dict[str, object]:
    return claims(**{"scope": SCOPES, **changed})


@everywhere
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"aud": ["other", AUDIENCE]},
        {"scope": SCOPES.split()},
        {"nbf": NOW_SECONDS},
        {"exp": NOW_SECONDS + 0.5},
        {"anonymous": False},
        {"odd": {"a": [1]}},
    ],
)
async def test_b6_q2_good_claims_name_the_same_everywhere(process: Process, way: Way, changed: Claims) -> None:
    """App, player and scopes."""
    found = await verdict(process, way, good(**changed))
    assert isinstance(found, Identity)
    assert ("demo", "ann", frozenset(SCOPES.split())) == (found.app, found.player, found.scopes)


@everywhere
@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "sub", "app", "scope"])
async def test_b6_q2_any_claim_missing_is_401_everywhere(process: Process, way: Way, missing: str) -> None:
    """Never 403: the client is not known yet."""
    assert 401 == await verdict(process, way, good(**{missing: None}))


@everywhere
@pytest.mark.parametrize("wrong", HOSTILE)
async def test_b6_q2_a_hostile_claim_is_401_everywhere(process: Process, way: Way, wrong: Claims) -> None:
    """Wrong in type as in value: nothing is guessed, and nothing trips."""
    assert 401 == await verdict(process, way, good(**wrong))


@everywhere
async def test_b6_q2_the_names_of_claims_and_the_leeway_are_settings_everywhere(process: Process, way: Way) -> None:
    """The same ones."""
    said = good(sub=None, app=None, scope=None) | {"uid": "bob", "https://x.test/app": "demo", "scp": SCOPES.split()}
    found = await verdict(process, way, said, RENAMED)
    assert isinstance(found, Identity)
    assert ("demo", "bob") == (found.app, found.player)
    assert 401 == await verdict(process, way, good(), RENAMED)
    late = good(exp=NOW_SECONDS - 4)
    assert 401 == await verdict(process, way, late)
    assert isinstance(await verdict(process, way, late, replace(RULES, leeway_seconds=5)), Identity)


@everywhere
async def test_g21_q2_a_missing_scope_is_403_everywhere(process: Process, way: Way) -> None:
    """At the ingress each route requires its own scope; the token is read in the same way."""
    found = await verdict(process, way, good(scope="email"))
    assert (403 if process is at_the_console else frozenset(("email",))) == (
        found if isinstance(found, int) else found.scopes
    )


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
names = st.sampled_from(["iss", "aud", "exp", "nbf", "sub", "app", "scope", "anonymous"])


@settings(deadline=None, max_examples=examples(60))
@given(st.dictionaries(names, values, min_size=1))
async def test_b6_q2_whatever_claims_say_the_four_agree(changed: dict[str, object]) -> None:
    """Known or not: with the very same identity, but for the console's own question after its scope."""
    said = {name: value for name, value in {**good(), **changed}.items() if value is not None}
    found = [await verdict(process, way, said) for process, way in WAYS]
    assert found[0] == found[1]
    assert found[2] == found[3]
    if isinstance(found[0], Identity):
        assert found[2] == (found[0] if READ_SCOPE in found[0].scopes else 403)
    else:
        assert (401, 401) == (found[0], found[2])
