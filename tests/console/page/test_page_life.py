"""The page over time: signing in, polling, the cut, hidden tabs, many partitions and events, the keyboard, redrive."""

import time

import pytest

from tests.clients.browser import Browser
from tests.console.page import examples
from tests.console.page.driving import Page, opened, sign_in_by_token
from tests.console.page.stub import CSRF, Site

pytestmark = pytest.mark.real

SYSTEM = "/v1/system"

# Counts of a short range are asked for every ten seconds, and the page's clock runs ten times as fast.
TWICE_THE_STEP = "new Promise((done) => setTimeout(done, 20000))"


def asked_again(site: Site, more: int = 1) -> None:
    """Until the page has asked for the system so many times more."""
    wanted = site.times(SYSTEM) + more
    end = time.monotonic() + 60
    while site.times(SYSTEM) < wanted:
        assert time.monotonic() < end, "the page asks nothing"
        time.sleep(0.02)


def test_a_pasted_token_stays_in_memory(browser: Browser, site: Site) -> None:
    """Signed in by the keyboard alone. No storage and no address has the token; a reload forgets it."""
    page = opened(browser, site, cookie=False)
    page.until_text("Sign in to tallymill")
    assert [] == page.axe()
    sign_in_by_token(page, examples.jwt())
    page.until_text("All well", "demo / grafana")
    kept = page.run("JSON.stringify([localStorage, sessionStorage, document.cookie, location.href, history.state])")
    assert examples.jwt().split(".")[1] not in kept
    page.reload()
    page.until_text("Sign in to tallymill")
    assert [] == page.complaints()


def test_a_wrong_token_says_so(browser: Browser, site: Site) -> None:
    page = opened(browser, site, cookie=False)
    page.until_text("Sign in to tallymill")
    page.run("document.querySelector('form.signin-form button').click()")
    page.until_text("Paste a token first.")
    page.run("document.querySelector('#token').focus()")
    page.write("abc.def.ghi")
    page.press("Tab", "Enter")
    page.until_text("The console does not accept this token")
    assert [] == page.axe()


def test_an_issuer_is_offered_where_there_is_one(browser: Browser, site: Site) -> None:
    site.oidc = True
    page = opened(browser, site, cookie=False)
    page.until('document.querySelector("a.primary")?.getAttribute("href") === "/login"')
    assert [] == page.axe()


def test_signing_out_ends_the_session(browser: Browser, site: Site) -> None:
    """By a POST that repeats the session's token."""
    page = opened(browser, site, hurry=True)
    page.until_text("All well")
    page.click(".account button")
    page.until_text("Sign in to tallymill")
    assert [{"path": "/logout", "csrf": CSRF}] == site.sent
    before = site.times(SYSTEM)
    page.run(TWICE_THE_STEP)
    assert before == site.times(SYSTEM), "nobody is signed in"


def test_a_session_that_ends_asks_to_sign_in_again(browser: Browser, site: Site) -> None:
    page = opened(browser, site, hurry=True)
    page.until_text("All well")
    site.cookie = False
    page.until_text("The session has ended. Sign in again.")


def test_what_has_not_changed_is_not_sent_again(browser: Browser, site: Site) -> None:
    """304 by ETag, while the age counts up; then a new state is seen without a reload."""
    site.frozen = int(time.time() * 1000)
    page = opened(browser, site, hurry=True)
    page.until_text("All well")
    asked_again(site)
    page.until('document.querySelector(".fresh-age").textContent !== "now"')
    assert 304 in site.statuses(SYSTEM)
    site.frozen, site.system = None, examples.degraded
    page.until_text("Degraded")


def test_the_network_is_cut_and_comes_back(browser: Browser, site: Site) -> None:
    """All well is no longer said; what was known stays, and is called so."""
    page = opened(browser, site, hurry=True)
    page.until_text("All well")
    browser.offline(on=True)
    page.until_text("No answer", "What you see is what was last known: all well.", "18,204,551")
    assert "? No answer" in page.run("document.title")
    assert [] == page.axe()
    browser.offline(on=False)
    page.until('document.querySelector(".strip-word").textContent === "All well"')
    assert [] == page.complaints()


def test_a_console_that_is_not_ready(browser: Browser, site: Site) -> None:
    """The page is there, and what it asks is not: it says so, and one can try again."""
    site.ready = False
    page = opened(browser, site)
    page.until_text("The console is not ready")
    assert [] == page.axe()
    site.ready = True
    page.click(".signin button")
    page.until_text("All well")


def test_a_hidden_tab_asks_nothing(browser: Browser, site: Site) -> None:
    page = opened(browser, site, "counts?range=5m", hurry=True)
    page.until_text("in 5 minutes", "All well")
    page.hide(hidden=True)
    before = len(site.asked)
    page.run(TWICE_THE_STEP)
    assert before == len(site.asked)
    page.hide(hidden=False)
    asked_again(site)


def test_paused_it_asks_nothing(browser: Browser, site: Site) -> None:
    page = opened(browser, site, hurry=True)
    page.until_text("All well")
    page.click(".strip-side button")
    page.until_text("Paused, as of")
    before = site.times(SYSTEM)
    page.run(TWICE_THE_STEP)
    assert before == site.times(SYSTEM)
    page.click(".strip-side button")
    page.until('document.querySelector(".fresh").innerText.startsWith("As of")')
    asked_again(site)


LONG_TASKS = """
window.long = [];
new PerformanceObserver((list) => window.long.push(...list.getEntries().map((one) => one.duration)))
  .observe({ type: "longtask" });
"""


def quick(page: Page) -> None:
    """No work blocks the page for as long as a person would see. A machine under load makes all work longer."""
    calm = page.run("""(() => { const start = performance.now(); let x = 0;
        for (let n = 0; n < 2e7; n += 1) x += n % 7; return performance.now() - start; })()""")
    assert max([0, *page.run("window.long")]) < 200 + 20 * calm


def test_200_partitions_stay_fluid(browser: Browser, site: Site) -> None:
    """The worst first, and no more rows than one can read; all of them on demand."""
    site.system = lambda now: examples.degraded(now, 200)
    page = opened(browser, site, hurry=True)
    page.until_text("3 need a look, of 300")
    assert page.text("tbody tr").startswith("games 3")
    assert 25 == page.count("tbody tr")
    assert page.count("*") < 1_600
    page.run(LONG_TASKS)
    asked_again(site, 2)
    page.run("[...document.querySelectorAll('.more button')].at(-1).click()")
    page.until('document.querySelectorAll("tbody tr").length === 300')
    asked_again(site, 2)
    quick(page)
    page.run("document.querySelector('input[placeholder=\"Filter partitions\"]').focus()")
    page.write("worker-4 stopped")
    page.until('document.querySelectorAll("tbody tr").length === 1')
    page.run("document.querySelector('.inline input').click()")
    page.until_text("The log was cut")


def test_1000_events_stay_fluid(browser: Browser, site: Site) -> None:
    """Seven lines at most, the others in one; the table shows the largest first."""
    site.events = 1_000
    page = opened(browser, site)
    page.until_text("All well")
    page.run(LONG_TASKS)
    page.part("counts?range=7d", "1,000 events", "other events")
    assert 7 == page.count(".legend li")
    assert page.count("*") < 1_200
    quick(page)
    page.run("document.querySelector('input[placeholder=\"Filter events\"]').focus()")
    page.write("event_0999")
    page.until('document.querySelectorAll("#totals, [aria-labelledby=totals] tbody tr").length === 2')


def test_the_keyboard_alone(browser: Browser, site: Site) -> None:
    """Skip link, parts, find box, theme, sorting; the focus is always seen."""
    page = opened(browser, site)
    page.until_text("All well")
    page.press("Tab")
    assert "Skip to the content" == page.run("document.activeElement.textContent")
    page.press("Enter", "Tab")
    assert "Pause" == page.run("document.activeElement.textContent.trim()")
    page.tab_to("one.classList.contains('sort') && one.textContent.startsWith('Lag')")
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter")
    page.until('document.querySelector("th[aria-sort=descending]")?.textContent.startsWith("Lag")')
    page.run("document.activeElement.blur()")
    page.tab_to("one.textContent === 'Counts'")
    page.press("Enter")
    page.until_text("in 24 hours")
    assert "main" == page.run("document.activeElement.id"), "the keyboard goes on in the new part"
    page.run("void (document.body.tabIndex = -1, document.body.focus())")
    page.tab_to("one.id === 'find'")
    page.write("ann/7")
    page.press("Enter")
    page.until_text("It is counted.")
    page.tab_to("one.getAttribute('aria-label')?.startsWith('Theme: system')")
    page.press("Enter")
    page.until('document.documentElement.dataset.theme === "light"')
    page.press("Enter")
    page.until('document.documentElement.dataset.theme === "dark"')
    page.reload()
    page.until('document.documentElement.dataset.theme === "dark"')


def test_redrive_needs_a_dry_run_and_a_typed_confirmation(browser: Browser, site: Site) -> None:
    page = opened(browser, site, "dead-letters")
    page.until_text("r1/00/2275560")
    page.run("document.querySelectorAll('tbody input:not(:disabled)')[1].click()")
    page.until_text("1 dead letter selected")
    page.run("[...document.querySelectorAll('button')].find((one) => one.textContent === 'Dry run').click()")
    page.until_text("The dry run finds 1 record", "redrive 1")
    assert [] == page.axe()
    assert page.run("document.querySelector('.danger').disabled")
    page.write("redrive")
    page.run("document.querySelector('.confirm').requestSubmit()")
    assert page.run("document.querySelector('.danger').disabled")
    page.write(" 1")
    page.press("Enter")
    page.until_text("1 dead letter was redriven")
    shared = {"path": "/v1/dead-letters/redrive", "csrf": CSRF, "ids": ["r1/01/2275561"]}
    assert [shared | {"dryRun": True}, shared | {"dryRun": False, "confirm": "redrive 1"}] == site.sent
