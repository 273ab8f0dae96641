"""The issuer is asked through the proxy that the environment names, for its keys and about tokens."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from ingress.http.metrics import Metrics
from serving.outgoing.proxies import proxy_of
from serving.tokens.introspection import EndpointSettings, IntrospectionEndpoint
from serving.tokens.key_sets import NoKeys, read_keys
from tests.clock import TestClock
from tests.serving.tokens.issuer import Issuer, issuer
from tests.serving.tokens.proxy import Proxy, proxy

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def source() -> AsyncIterator[Issuer]:
    async with issuer() as one:
        yield one


@pytest.fixture
async def between(source: Issuer) -> AsyncIterator[Proxy]:
    """A proxy that alone knows where issuer.test is."""
    async with proxy() as one:
        port = urlsplit(source.url).port
        assert port
        one.targets = {"issuer.test": ("127.0.0.1", port), "issuer.test:443": ("127.0.0.1", port)}
        yield one


async def test_keys_are_read_through_the_proxy(
    source: Issuer, between: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the password of its URL. ~/.netrc is not used."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine issuer.test login somebody password hidden-word\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", between.url.replace("//", "//user:pass@"))
    assert ["k1"] == [one.kid for one in (await read_keys("http://issuer.test/jwks")).keys]
    assert (["keys"], ["GET http://issuer.test/jwks"]) == (source.asked, between.asked)
    assert "proxy-authorization: basic dxnlcjpwyxnz" in between.heads[0].lower()
    assert "\r\nauthorization" not in between.heads[0].lower()


async def test_https_goes_through_a_tunnel(between: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The issuer of this test has no TLS, so only the tunnel is checked."""
    monkeypatch.setenv("https_proxy", between.url)
    with pytest.raises(NoKeys):
        await read_keys("https://issuer.test/jwks")
    assert ["CONNECT issuer.test:443"] == between.asked


async def test_a_proxy_whose_url_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The issuer's own URL is checked with the settings."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hidden-word@127.0.0.1:port")
    with pytest.raises(NoKeys) as failed:
        await read_keys("https://issuer.test/jwks")
    words = "not connected: the URL of the proxy (HTTP_PROXY, HTTPS_PROXY) is wrong"
    assert f"https://issuer.test/jwks: {words}" == str(failed.value)


async def test_what_no_proxy_names_is_asked_directly(
    source: Issuer, between: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", between.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    await read_keys(source.jwks_url)
    assert (["keys"], []) == (source.asked, between.asked)


async def test_tokens_are_asked_about_through_the_proxy(
    source: Issuer, between: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", between.url)
    settings = EndpointSettings("http://issuer.test/introspect", "us", SecretStr("secret"), 30, 2)
    endpoint = IntrospectionEndpoint(settings, TestClock(), Metrics().tokens)
    async with endpoint.open():
        assert await endpoint.claims("a-token")
    assert (["a-token"], ["POST http://issuer.test/introspect"]) == (source.asked, between.asked)


async def test_a_proxy_that_does_not_answer_or_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its password."""
    monkeypatch.setenv("HTTP_PROXY", "http://user:hidden-word@127.0.0.1:1")
    with pytest.raises(NoKeys, match="the proxy: not connected") as caught:
        await read_keys("http://issuer.test/jwks")
    assert "hidden-word" not in str(caught.value)
    async with _refusing() as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        with pytest.raises(NoKeys, match="the proxy answers HTTP 407"):
            await read_keys("https://issuer.test/jwks")


@pytest.mark.parametrize(
    ("variables", "url", "found"),
    [
        ({}, "https://a.test/", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://a.test/", "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, "https://a.test/", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://a.test/", None),
        ({"ALL_PROXY": "http://p:1"}, "http://a.test/", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".test"}, "https://a.test:8443/", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.test:8443"}, "https://u:p@a.test:8443/", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://a.test/", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "b.test"}, "https://a.test/", "http://p:1"),
    ],
)
def test_the_environment_names_the_proxy(
    variables: dict[str, str], url: str, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert found == proxy_of(url)


class _Refusing:
    """A proxy that asks for a password."""

    async def __aenter__(self) -> str:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        self._server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()


def _refusing() -> _Refusing:
    return _Refusing()
