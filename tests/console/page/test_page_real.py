"""The page of a real console, on a system that counts: what was sent is found in every part, and a redrive is done."""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from console.access.links import link
from ops.connect import kafka_producer
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Children
from schemas.wire.console_replies import READ_SCOPE
from tests.clients.browser import Browser
from tests.clients.running import APP, System, process, until
from tests.clients.running import system as running_system
from tests.console.access.test_sign_in_real import address
from tests.console.page.driving import VIOLATIONS, Page, sign_in_by_token
from tests.servers import Servers

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]  # the first fetch of the browser is part of it

TITLE = '<img src=x onerror="document.title=1">'

KEY = secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Running:
    """A system and its console."""

    system: System
    console: str

    def post(self, path: str, body: object, token: str) -> dict[str, Any]:
        """The ingress's answer."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(self.system.url + path, json.dumps(body).encode(), headers)  # noqa: S310 ours
        try:
            with urllib.request.urlopen(asked) as answer:  # noqa: S310 the test's own server
                receipt = answer.headers["Tallymill-Receipt"]
                return {"receipt": receipt, **json.loads(answer.read())}
        except urllib.error.HTTPError as refused:
            pytest.fail(refused.read().decode())


@pytest.fixture(scope="module")
def running(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("page")
    with running_system(servers, folder) as system, Children(folder / "console-logs") as children:
        port = any_free()
        children.start(process("console", system.settings, folder, console={"port": port, "session_keys": [KEY]}))
        url = f"http://{LOOPBACK}:{port}"
        until(lambda: _is_up(url), "the console is ready")
        yield Running(system, url)


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz") as answer:  # noqa: S310 the test's own server
            return bool(answer.status == 200)
    except OSError:
        return False


def batch(request_id: int, event: str, count: int) -> dict[str, object]:
    now = int(time.time() * 1000)
    period = {"periodStartMillis": str(now - 60_000), "periodEndMillis": str(now - 30_000)}
    updates = [{"definitionId": event, "updateCount": str(count)}]
    return {"requestId": str(request_id), "timePeriods": [{"timePeriod": period, "updates": updates}]}


async def dead_letter(system: System) -> None:
    """A record that no worker can read."""
    async with kafka_producer(system.settings) as producer:
        await producer.send_and_wait(system.settings.kafka.records_topic, b"{", key=f"{APP}/ann".encode())


def by_link(browser: Browser, running: Running) -> Page:
    browser.visitor()
    browser.step("prepare", script=VIOLATIONS)
    tab = browser.open(link(running.console, KEY.encode(), APP, time.time()))
    until(lambda: address(tab) == f"{running.console}/", "the link has opened the page")
    return Page(browser, tab)


async def test_what_was_sent_is_found_in_every_part(browser: Browser, running: Running) -> None:
    """Counted, refused and dead; by receipt, request and player; and then a dead letter is redriven."""
    token = running.system.token("ann")
    counted = running.post("/games/v1/events", batch(7, "LEVEL_UP", 41), token)
    running.post("/games/v1/events", batch(8, "NO_SUCH_EVENT", 1), token)
    item = {"Timestamp": str(int(time.time())), "Event": TITLE, "Data": {"level": 3}}
    running.post("/AddEvent", {"Token": token, "mediaInfo": "eyJhIjoxfQ==", "eventData": item}, token)
    await dead_letter(running.system)

    page = by_link(browser, running)
    page.until_text("All well", "it balances", "in step")
    page.until('[...document.querySelectorAll(".ledger")].every((one) => one.innerText.includes("it balances"))')
    page.part("counts?range=1h", "LEVEL_UP", "41", "1 event")
    page.part("counts?range=400d&step=month", "LEVEL_UP", "41")
    page.part("counts?range=7d&event=LEVEL_UP", "41 in 7 days")
    page.part("counts?source=analytics&range=24h", TITLE)
    page.part(f"find?q={counted['receipt']}", "It is counted.")
    page.part("find?q=ann%2F7", "ann/7", "It is counted.")
    page.part("find?q=ann", "LEVEL_UP", "41")
    page.part("find?q=nobody", "There is no such player")
    page.part("definitions", "COIN_FOUND", "Coin found", "in force")
    page.part("refusals", "NOT_FOUND", "NO_SUCH_EVENT")
    page.part("dead-letters", "1 open of 1")
    page.run("document.querySelector('tbody input').click()")
    page.run("[...document.querySelectorAll('button')].find((one) => one.textContent === 'Dry run').click()")
    page.until_text("The dry run finds 1 record")
    page.write(page.text("label[for=confirm] code"))
    page.press("Enter")
    page.until_text("1 dead letter was redriven")
    assert [] == page.complaints()
    page.click(".account button")
    page.until_text("Sign in to tallymill")


def test_a_pasted_token_sees_what_its_scopes_allow(browser: Browser, running: Running) -> None:
    browser.visitor()
    browser.step("prepare", script=VIOLATIONS)
    page = Page(browser, browser.open(running.console + "/"))
    sign_in_by_token(page, running.system.token("grafana", READ_SCOPE))
    page.until_text("All well", "arcade / grafana")
    page.part("refusals", "You may not see what was refused")
    page.part("dead-letters", "You may not see dead letters")
    page.part("definitions", "COIN_FOUND")
    assert [] == page.complaints()
