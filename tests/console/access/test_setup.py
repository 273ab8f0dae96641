"""What the settings make of signing in."""

import time
from typing import Any

from console.access.links import link
from console.access.setup import signing_of
from console.access.sign_in import Signing
from console.config import ConsoleConfig
from console.metrics import Metrics
from serving.clock import SystemClock
from serving.tokens.identity import ClaimRules

TOKENS = {"issuer": "https://issuer.example", "audience": "tallymill", "jwks": "https://issuer.example/keys"}
KEY = "sixteen characters"
OIDC = {"issuer": "https://people.example", "client_id": "console"}


def signing(console: dict[str, Any], **sections: dict[str, Any]) -> Signing | None:
    given = {"mongodb": {}, "tokens": TOKENS, "console": console, **sections}
    return signing_of(ConsoleConfig.model_validate(given), 8090, SystemClock(), Metrics().tokens)


def test_without_keys_or_over_plain_http_to_others_there_are_no_sessions() -> None:
    """A cookie would cross the network as plain text."""
    assert signing({}) is None
    assert signing({"session_keys": [KEY], "host": "10.0.0.7"}) is None
    assert signing({"session_keys": [KEY]})
    assert signing({"session_keys": [KEY], "host": "10.0.0.7", "public_url": "https://counts.example"})


def test_a_link_opens_only_where_there_is_no_issuer() -> None:
    """Otherwise the settings alone would let people in."""
    code = link("", KEY.encode(), "demo", time.time()).partition("#")[2]
    local = signing({"session_keys": [KEY]})
    assert local
    assert "demo" == local.links.use(code, time.time())
    console = {"session_keys": [KEY], "public_url": "https://counts.example"}
    with_issuer = signing(console, oidc=OIDC)
    assert with_issuer
    assert with_issuer.links.use(code, time.time()) is None


def test_an_id_token_is_for_the_client_of_the_issuer_and_else_like_a_bearer_token() -> None:
    """The audience of bearer tokens would let one app's token sign somebody in. Nothing may be absent."""
    tokens = {**TOKENS, "app_claim": "a", "scope_claim": "s", "leeway_seconds": 5}
    console = {"session_keys": [KEY], "public_url": "https://counts.example"}
    found = signing(console, oidc=OIDC, tokens=tokens)
    assert found
    assert found.issuer
    assert ClaimRules("https://people.example", "console", "a", "sub", "s", leeway_seconds=5) == found.issuer._rules
    client = found.issuer.client
    assert ("https://counts.example/callback", "https://counts.example/") == (client.redirect_uri, client.home)


def test_the_old_key_still_opens_sessions() -> None:
    """And the settings' length of a session is its length."""
    settings = {"session_keys": [KEY], "session_seconds": 60}
    old, new = signing(settings), signing({"session_keys": ["another secret of it", KEY]})
    assert old
    assert new
    caller, (_, cookie) = old.sessions.begin("ann", "demo", [], 0)
    assert 60 == caller.expires_seconds
    assert b"Max-Age=60;" in cookie
    sealed = cookie.partition(b"=")[2].partition(b";")[0].decode()
    assert new.sessions.seal.open(sealed, 1)
