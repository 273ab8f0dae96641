"""Signing in at a console process over loopback: at an issuer, and by a link in a browser. Neither needs MongoDB."""

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from console.access.links import link
from ops.local.servers.ports import any_free
from schemas.wire.console_replies import READ_SCOPE
from tests.clients.browser import Tab, chromium
from tests.clients.running import until
from tests.console.access.issuer import CLIENT_ID, SECRET, Issuer
from tests.console.test_console_real import console_process, process_config

KEY = secrets.token_urlsafe(32)

pytestmark = pytest.mark.real  # a process of its own


@contextmanager
def console(folder: Path, issuer: Issuer | None = None) -> Iterator[tuple[str, "subprocess.Popen[str]", Path]]:
    """A console process, its address and its log. Its MongoDB is not there."""
    port = any_free()
    config: dict[str, Any] = process_config(folder, "mongodb://127.0.0.1:1", "nothing")
    config["console"] |= {"port": port, "session_keys": [KEY]}
    if issuer:
        config["console"]["public_url"] = f"http://127.0.0.1:{port}"
        config["oidc"] = {"issuer": issuer.url, "client_id": CLIENT_ID, "client_secret": SECRET}
        config["oidc"]["scopes"] = f"openid {READ_SCOPE}"
    file = folder / "console.json"
    file.write_text(json.dumps(config))
    with console_process(file) as (url, process):
        yield url, process, file.with_suffix(".log")


async def test_a_person_signs_in_over_http_and_the_log_holds_no_secret(tmp_path: Path) -> None:
    """From `/login` by all redirects to the page, with the cookies that a client keeps."""
    async with (
        Issuer().running() as issuer,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as person,
    ):
        with console(tmp_path, issuer) as (url, process, log):
            async with person.get(f"{url}/login", params={"to": "/#here"}) as page:
                assert (200, "/") == (page.status, page.url.path)
                assert (await page.text()).startswith("<!doctype html>")
                hops = [str(one.url).partition("?")[0] for one in page.history]
                assert [f"{url}/login", f"{issuer.url}/authorize", f"{url}/callback"] == hops
                code = page.history[2].url.query["code"]
            async with person.get(f"{url}/v1/session") as answer:
                found = await answer.json()
            assert (True, "ann", "demo", [READ_SCOPE]) == tuple(
                found[name] for name in ("signedIn", "subject", "app", "scopes")
            )
            async with person.get(f"{url}/v1/system") as answer:
                assert 200 == answer.status
            (cookie,) = person.cookie_jar
            async with person.get(f"{url}/callback", params={"code": code, "state": "x"}) as answer:
                assert (403, True) == (answer.status, "did not begin" in await answer.text())
            async with person.post(f"{url}/logout", headers={"x-csrf-token": found["csrfToken"]}) as answer:
                assert 403 == answer.status
            headers = {"x-csrf-token": found["csrfToken"], "origin": url}
            async with person.post(f"{url}/logout", headers=headers) as answer:
                assert 200 == answer.status
            assert [] == list(person.cookie_jar)
            process.terminate()
            assert 0 == process.wait()
            said = log.read_text()
        assert '"who": "ann"' in said
        assert [] == [one for one in (code, cookie.value, found["csrfToken"], SECRET, KEY, "eyJ") if one in said]


def address(tab: Tab) -> str:
    """Where the tab is; nowhere while it goes from one page to another."""
    try:
        return str(tab.run("location.href"))
    except AssertionError as error:
        if "context was destroyed" in str(error):
            return ""
        raise


async def asked(tab: Tab) -> dict[str, Any]:
    """Who the page is, as it asks."""
    return dict(tab.run("fetch('/v1/session').then((reply) => reply.json())"))


@pytest.mark.timeout(600)  # the first fetch of the browser is part of it
async def test_a_link_opens_the_page_in_a_browser_once(tmp_path: Path) -> None:
    """Chromium keeps the cookie on plain http; no script reads it, and the address no longer has the code."""
    with console(tmp_path) as (url, _, log), chromium(tmp_path / "browser.log") as browser:
        made = link(url, KEY.encode(), "demo", time.time())
        browser.visitor()
        tab = browser.open(made)
        until(lambda: address(tab) == f"{url}/", "the page is open")
        found = await asked(tab)
        assert (True, "link", "demo", "session") == tuple(found[n] for n in ("signedIn", "subject", "app", "way"))
        assert "" == tab.run("document.cookie")
        headers = f"{{'x-csrf-token': '{found['csrfToken']}', 'content-type': 'application/json'}}"
        body = "JSON.stringify({ids: ['r1/00/7']})"
        write = f"fetch('/v1/dead-letters/redrive', {{method: 'POST', headers: {headers}, body: {body}}})"
        assert 503 == tab.run(f"{write}.then((reply) => reply.status)"), "it may, and MongoDB is not there"
        assert 403 == tab.run(f"{write.replace(found['csrfToken'], 'x')}.then((reply) => reply.status)")

        browser.visitor()
        tab = browser.open(made)
        until(lambda: "used before" in str(tab.run("document.body.innerText")), "the page says so")
        assert not (await asked(tab))["signedIn"]
        assert f"{url}/open" == tab.run("location.href")
        assert made.partition("#")[2] not in log.read_text()
