"""`tallymill link`."""

import time

import pytest

from console.access.links import Links
from ops.config import Settings, SettingsError
from ops.tokens import link as links
from ops.tokens.link import page_link, print_link
from tests.ops.running import Output

KEY = "sixteen characters"


def settings(**sections: object) -> Settings:
    return Settings.model_validate({"console": {"session_keys": [KEY], "port": 8123}} | sections)


@pytest.mark.parametrize(
    ("console", "address"),
    [
        ({}, "http://127.0.0.1:8090"),
        ({"host": "::1", "port": 1}, "http://[::1]:1"),
        ({"public_url": "https://counts.example"}, "https://counts.example"),
    ],
)
def test_a_link_leads_to_the_console_and_opens_it(console: dict[str, object], address: str) -> None:
    """The code is in the fragment, which is not sent."""
    made = page_link(settings(console={"session_keys": [KEY], **console}), "demo")
    where, _, code = made.partition("#")
    assert f"{address}/open" == where
    assert "demo" == Links([KEY.encode()], time.time() - 60).use(code, time.time())


def test_there_is_none_without_a_key_or_with_an_issuer() -> None:
    """It says what to do instead."""
    with pytest.raises(SettingsError, match=r"console\.session_keys"):
        page_link(settings(console={}), "demo")
    oidc = {"issuer": "https://issuer.example", "client_id": "x"}
    with pytest.raises(SettingsError, match="people sign in"):
        page_link(settings(oidc=oidc), "demo")


async def test_the_command_prints_the_link_alone_on_the_last_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """So that a script can take it."""
    monkeypatch.setattr(links, "load_settings", settings)
    assert 0 == await print_link("demo")
    assert capsys.readouterr().out.splitlines()[-1].startswith("http://127.0.0.1:8123/open#demo.")
    assert 2 == await print_link("a/b")
