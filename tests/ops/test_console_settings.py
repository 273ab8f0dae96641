"""Settings of the page: what signing in needs, and who may be reached from other machines."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from console.config import ConsoleConfig
from ops.config import Settings, SettingsError, console_config, shown
from schemas.urls import is_loopback, require_private_url

KEYS = ["sixteen characters"]
TOKENS = {"issuer": "https://issuer.example", "audience": "tallymill", "jwks": "https://issuer.example/keys"}
OIDC = {"issuer": "https://issuer.example", "client_id": "console", "client_secret": "hidden-word"}


def settings(**sections: dict[str, Any]) -> Settings:
    return Settings.model_validate({"mongodb": {"uri": "mongodb://x/"}, "tokens": TOKENS, **sections})


def problems(**sections: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        console_config(settings(**sections))
    return list(caught.value.problems)


def test_an_issuer_needs_a_client_an_address_and_keys_that_replicas_share() -> None:
    """All that is missing at once, with its variable."""
    found = problems(oidc={"issuer": "https://issuer.example"})
    expected = {"oidc.client_id", "console.public_url", "console.session_keys"}
    assert expected == {line.partition(":")[0] for line in found}
    assert all("required with oidc.issuer (TALLYMILL_" in line for line in found)
    assert ["oidc.issuer: required with oidc.client_id"] == problems(oidc={"client_id": "x"})
    console = {"public_url": "https://counts.example", "session_keys": KEYS}
    assert "https://issuer.example" == console_config(settings(oidc=OIDC, console=console)).oidc.issuer


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "counts.example", ""])  # noqa: S104 it is not opened
def test_the_local_issuer_does_not_protect_what_others_can_reach(host: str) -> None:
    """Whoever reads its private key makes tokens: it is for a trial on one machine."""
    local = {**TOKENS, "private_key": "/keys/issuer.jwk"}
    (found,) = problems(tokens=local, console={"host": host})
    assert found.startswith(f"console.host: {host} can be reached from other machines, but tokens.private_key is set")
    assert host == console_config(settings(console={"host": host})).console.host
    assert console_config(settings(tokens=local))


@pytest.mark.parametrize("tokens", [{}, {"issuer": "x", "audience": "y"}, {"issuer": "x", "jwks": "/keys"}])
def test_a_console_that_others_reach_asks_who_they_are(tokens: dict[str, str]) -> None:
    """Whoever starts it: a claim that is not expected would be any claim."""
    for host in ("0.0.0.0", "127.0.0.1"):  # noqa: S104 it is not opened
        assert any("required" in line for line in problems(tokens=tokens, console={"host": host}))
    given = {"mongodb": {}, "tokens": tokens, "console": {"host": "0.0.0.0"}}  # noqa: S104 the same
    with pytest.raises(ValidationError, match="nothing says who asks"):
        ConsoleConfig.model_validate(given)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://counts.example", "https://counts.example"),
        ("https://Counts.Example:8443/", "https://counts.example:8443"),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("http://localhost:8090", "http://localhost:8090"),
        ("http://[::1]:8090", "http://[::1]:8090"),
        ("http://counts.example", None),
        ("https://counts.example/page", None),
        ("https://counts.example?x", None),
        ("https://user@counts.example", None),
        ("counts.example", None),
        ("javascript:alert(1)", None),
        ("https://", None),
    ],
)
def test_the_pages_address_is_an_origin_over_tls(url: str, expected: str | None) -> None:
    """Or on this machine: cookies and codes are sent there."""
    if expected is None:
        with pytest.raises(ValidationError):
            settings(console={"public_url": url})
    else:
        assert expected == settings(console={"public_url": url}).console.public_url


@pytest.mark.parametrize("issuer", ["http://issuer.example", "issuer.example", "https://a:b@issuer.example", ""])
def test_an_issuer_is_asked_over_tls_only(issuer: str) -> None:
    """It gets the client's secret."""
    with pytest.raises(ValidationError, match=r"oidc\.issuer"):
        settings(oidc={"issuer": issuer})


def test_scopes_begin_with_openid_and_keys_are_long() -> None:
    """OpenID Connect; RFC 2104."""
    for wrong in ({"oidc": {"scopes": "email"}}, {"console": {"session_keys": ["short"]}}):
        with pytest.raises(ValidationError):
            settings(**wrong)
    with pytest.raises(ValidationError):
        settings(console={"session_keys": []})


def test_no_secret_of_them_is_shown() -> None:
    """`tallymill config` is pasted into tickets."""
    text = json.dumps(shown(settings(oidc=OIDC, console={"session_keys": KEYS})))
    assert "hidden-word" not in text
    assert KEYS[0] not in text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_names_of_this_machine(host: str) -> None:
    """A name that looks like one is none."""
    assert is_loopback(host)
    for other in (f"{host}.evil.example", "", "0.0.0.0", "127.1", "2130706433"):  # noqa: S104 the same
        assert not is_loopback(other)


def test_a_secret_is_not_sent_in_the_clear() -> None:
    """Not even to a name that this machine may have."""
    require_private_url("https://issuer.example/x?y=1")
    for wrong in ("http://issuer.example", "ftp://127.0.0.1", "https://u:p@issuer.example"):
        with pytest.raises(ValueError, match=r"must|is not"):
            require_private_url(wrong)
