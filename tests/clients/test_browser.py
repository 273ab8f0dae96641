"""docs/clients.md in a browser: its modules as they stand, in a page of another origin, against a real ingress."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ops.local.servers.processes import Children
from tests.clients.browser import Browser, Site, Tab, chromium, serving
from tests.clients.running import System, start_ingress, until
from tests.clients.unlucky import RETRY_AFTER_SECONDS, Attempt, Fault, Unlucky, unlucky_proxy

# The first fetch of npm's packages, and of a browser by apt, is part of it.
pytestmark = pytest.mark.timeout(600)

# Its order, its types and its odd names are the client's own.
DATA = {"z": 1, "a": [{"page": 2.5}, {"page": None}], "$where": "x.y", "text": "ä\u2028 \U0001f600 </script>"}


@dataclass(frozen=True, slots=True)
class Web:
    """A new visitor's browser, the page it opens, and the proxy between the page and the ingress."""

    browser: Browser
    site: Site
    way: Unlucky
    system: System
    player: str

    def open(self) -> Tab:
        return self.browser.open(self.site.page)

    def events(self) -> list[tuple[str, Any]]:
        """The player's registered events."""
        found = self.system.events(self.player)
        return sorted(((event["event"], event["data"]) for event in found), key=str)

    def until_registered(self, *titles: str) -> None:
        until(lambda: sorted(titles) == [title for title, _ in self.events()], f"{titles} are registered, once each")

    def until_sent(self, tab: Tab) -> None:
        """Until nothing is kept in the browser any more."""
        until(lambda: kept(tab) == 0, "the page has heard that its pools are registered")


def script(tab: Tab, expression: str) -> Any:  # noqa: ANN401 its value
    """An expression of a script of the page."""
    return tab.run(f"import('/page.mjs').then(async ({{ pools, addEvent }}) => ({expression}))")


def add(tab: Tab, *titles: str) -> None:
    for title in titles:
        script(tab, f"pools.add({json.dumps(title)}, {json.dumps(DATA)})")


def kept(tab: Tab) -> int:
    """How many pools the browser keeps for the site."""
    return int(tab.run("localStorage.length"))


def same_pool(attempts: list[Attempt], *titles: str) -> None:
    """All attempts are one pool, sealed, and hold these events."""
    first, *again = [(attempt.body["requestId"], attempt.body["eventData"]) for attempt in attempts]
    assert [first] * len(again) == again
    assert [*titles] == [event["Event"] for event in first[1]]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser") / "browser.log") as one:
        yield one


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def ingress(system: System, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One that allows pages of the site."""
    folder = tmp_path_factory.mktemp("browser-ingress")
    with Children(folder / "logs") as children:
        allowed = {"cors_origins": [site.origin], "max_sessions_per_address": 1}
        yield start_ingress(children, system.settings, folder, ingress=allowed)


@pytest.fixture
def web(system: System, ingress: str, browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Web]:
    """For a new player."""
    player = f"web-{request.node.name}"
    with unlucky_proxy(ingress) as way:
        site.told = {"url": way.url, "token": system.token(player), "player": player}
        browser.visitor()
        yield Web(browser, site, way, system, player)
        # Its pages go before what they talk to.
        browser.visitor()


def test_a2_an_event_is_sent_by_fetch_until_it_is_answered(web: Web) -> None:
    """A lost answer and a 503 with Retry-After, which the script can read; one preflight for all."""
    web.way.faults += [Fault.CUT, Fault.AWAY]
    tab = web.open()
    heard = script(tab, f"addEvent('ONE', {json.dumps(DATA)})")
    assert (200, "OK") == (heard["status"], heard["answer"]["StatusMessage"])
    assert ["/AddEvent"] == web.way.preflights
    assert {"application/json"} == {attempt.content_type for attempt in web.way.attempts}
    *_, away, last = web.way.attempts
    assert last.at_seconds - away.at_seconds >= RETRY_AFTER_SECONDS
    assert [web.way.attempts[0].body] * len(web.way.attempts) == [attempt.body for attempt in web.way.attempts]
    registered_as_sent(web, "ONE")


def registered_as_sent(web: Web, *titles: str) -> None:
    """Once each, the data in its order."""
    web.until_registered(*titles)
    assert [list(DATA.items())] * len(titles) == [list(data.items()) for _, data in web.events()]


def leave(tab: Tab) -> None:
    tab.go(f"{tab.run('location.origin')}/elsewhere")


@pytest.mark.parametrize(
    ("end", "fault"),
    [(Tab.close, None), (leave, Fault.AWAY), (Tab.close, Fault.CUT)],
    ids=["heard", "lost", "answer-lost"],
)
def test_a11_the_last_events_of_a_page_go_by_beacon_and_again_by_fetch(
    web: Web, end: Callable[[Tab], None], fault: Fault | None
) -> None:
    """There is no preflight and no answer, so the next page sends the same pool. Each event is registered once."""
    tab = web.open()
    add(tab, "FIRST", "LAST")
    web.way.faults += [fault] if fault else []
    end(tab)
    beacon_has_come(web)
    if fault is None:
        registered_as_sent(web, "FIRST", "LAST")
    web.until_sent(web.open())
    assert ["/AddEventBatch?partial=true"] == web.way.preflights
    same_pool(web.way.attempts, "FIRST", "LAST")
    assert "application/json" == web.way.attempts[-1].content_type
    registered_as_sent(web, "FIRST", "LAST")


def beacon_has_come(web: Web) -> None:
    until(lambda: len(web.way.attempts) > 0, "the beacon has come")
    assert [] == web.way.preflights
    assert "text/plain;charset=UTF-8" == web.way.attempts[0].content_type


def test_a11_a_page_out_of_sight_sends_by_beacon_and_back_in_sight_by_fetch(web: Web) -> None:
    """A phone may end it without another word; it may come back too."""
    show = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true}) && document.dispatchEvent(%s)"
    changed = "new Event('visibilitychange')"
    tab = web.open()
    add(tab, "FIRST", "LAST")
    tab.run(show % ("true", changed))
    beacon_has_come(web)
    assert 1 == kept(tab)
    tab.run(show % ("false", changed))
    web.until_sent(tab)
    same_pool(web.way.attempts, "FIRST", "LAST")
    registered_as_sent(web, "FIRST", "LAST")


def test_a11_a_pool_made_offline_is_sent_by_the_next_page(web: Web) -> None:
    """Its first answer is lost on the way too."""
    tab = web.open()
    web.browser.offline(on=True)
    add(tab, "FIRST", "LAST")
    tab.close()
    web.browser.offline(on=False)
    assert ([], []) == (web.way.attempts, web.events())
    web.way.faults += [Fault.CUT, Fault.AWAY]
    tab = web.open()
    web.until_sent(tab)
    same_pool(web.way.attempts, "FIRST", "LAST")
    registered_as_sent(web, "FIRST", "LAST")


def test_a_pool_is_sent_when_the_network_is_back(web: Web) -> None:
    """In the page that made it, and what comes meanwhile goes into the next one."""
    tab = web.open()
    # Between two attempts it would wait for a quarter of an hour.
    tab.run("Math.random = () => { globalThis.waits = true; return 1_000; }")
    web.browser.offline(on=True)
    add(tab, "FIRST")
    script(tab, "(pools.seal(), pools.send(), 0)")
    add(tab, "LAST")
    until(lambda: bool(tab.run("globalThis.waits")), "the first attempt has failed")
    assert [] == web.way.attempts
    web.browser.offline(on=False)
    web.until_registered("FIRST")
    same_pool(web.way.attempts, "FIRST")
    script(tab, "(pools.seal(), pools.send())")
    assert 0 == kept(tab)
    registered_as_sent(web, "FIRST", "LAST")


def test_a_pool_that_is_refused_holds_up_no_other(web: Web) -> None:
    """It stays for a program without the mistake, and this one doesn't send it again."""
    tab = web.open()
    add(tab, "(other)")
    script(tab, "pools.seal()")
    add(tab, "GOOD")
    refused = "(pools.seal(), pools.send().then(() => 'nothing', (error) => error.message))"
    assert "eventData[0].Event" in script(tab, refused)
    assert (2, 1) == (len(web.way.attempts), kept(tab))
    assert "nothing" == script(tab, refused)
    assert (2, 1) == (len(web.way.attempts), kept(tab))
    registered_as_sent(web, "GOOD")


def test_an_open_pool_is_its_own_page_s(web: Web) -> None:
    """Another tab lets it be while its page is there."""
    one, other = web.open(), web.open()
    add(one, "ONE")
    add(other, "OTHER")
    script(other, "(pools.seal(), pools.send())")
    assert (1, 1) == (kept(other), len(web.way.attempts))
    same_pool(web.way.attempts, "OTHER")
    one.close()
    web.until_registered("ONE", "OTHER")


def test_a_pool_is_its_player_s(web: Web) -> None:
    """The next player who logs in with the same browser doesn't send it."""
    tab = web.open()
    web.browser.offline(on=True)
    add(tab, "ANNS")
    tab.close()
    web.browser.offline(on=False)
    anns, bobs = web.site.told, f"{web.player}-bob"
    web.site.told = anns | {"token": web.system.token(bobs), "player": bobs}
    script(web.open(), "pools.send()")
    assert [] == web.way.attempts
    web.site.told = anns
    web.until_sent(web.open())
    assert [] == web.system.events(bobs)
    registered_as_sent(web, "ANNS")


def test_b5_a_page_reads_the_request_id_and_retry_after(web: Web) -> None:
    """From a refusal too: the second session of an address is 429."""
    ask = """fetch(`${tallymill.url}/v1/sessions`, {method: "POST", body: '{"app": "arcade"}',
        headers: {"Content-Type": "application/json", "X-Request-Id": "mine"}}).then((reply) =>
        [reply.status, reply.headers.get("X-Request-Id"), reply.headers.get("Retry-After")])"""
    tab = web.open()
    tab.run(ask)
    status, request_id, retry_after = tab.run(ask)
    assert (429, "mine") == (status, request_id)
    assert int(retry_after) > 0


def test_b5_a_page_of_another_origin_neither_sends_nor_reads(web: Web) -> None:
    """The preflight refuses it, so the browser never sends the request."""
    with serving() as stranger:
        stranger.told = web.site.told
        tab = web.browser.open(stranger.page)
        tab.run("Math.random = () => 0")
        assert "no answer yet" in script(tab, "addEvent('ONE').catch((error) => error.message)")
        assert "Failed to fetch" == tab.run(f"fetch('{web.way.url}/v1/limits').catch((error) => error.message)")
        assert {"/AddEvent"} == {*web.way.preflights}
        assert [] == web.way.attempts
