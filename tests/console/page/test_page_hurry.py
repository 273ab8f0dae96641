"""Somebody who goes through the parts faster than they are answered: each part shows its own answer, and none fails."""

import json
import random

import pytest

from tests.clients.browser import Browser
from tests.console.page.driving import Page, opened
from tests.console.page.stub import UNREADABLE, Site

pytestmark = pytest.mark.real

RANGES = ("5m", "15m", "1h", "6h", "24h", "7d", "30d", "90d", "400d")
STEPS = ("minute", "hour", "day", "week", "month")
SOUGHT = ("ann", "ann%2F7", "nobody", "r1.3.7.1790000000000.1789999999990.ab12")
FAILED = "This part of the page failed"

ROUTES = 150
MOST_MILLIS = 60

# Goes to each route after its time, and says at which one the page failed.
WALK = """
(async () => {
  for (const [route, millis] of ROUTES) {
    location.hash = route;
    await new Promise((done) => setTimeout(done, millis));
    if (document.body.innerText.includes(FAILED)) return route;
  }
  return null;
})()
"""


def route(drawn: random.Random) -> str:
    """Most of them ask for something else in the part that is shown."""
    kind = drawn.choice(("find", "find", "counts", "counts", "counts", "", "definitions", "refusals", "dead-letters"))
    if kind == "find":
        return f"#/find?q={drawn.choice(SOUGHT)}"
    if kind == "counts":
        more = drawn.choice(("", "&event=LEVEL_UP", "&source=analytics", f"&step={drawn.choice(STEPS)}"))
        return f"#/counts?range={drawn.choice(RANGES)}{more}"
    return f"#/{kind}"


def walk(page: Page, drawn: random.Random) -> None:
    routes = [(route(drawn), drawn.choice((0, 1, 5, 20, MOST_MILLIS))) for _ in range(ROUTES)]
    script = WALK.replace("ROUTES", json.dumps(routes)).replace("FAILED", json.dumps(FAILED))
    assert page.run(script) is None, page.complaints()


@pytest.fixture
def slow(site: Site) -> Site:
    """An answer's head comes at once, and its body later: most changes of the part fall between the two."""
    drawn = random.Random(2)  # noqa: S311 no secret
    site.body_after = lambda: drawn.choice((0, 0.005, 0.02, 0.05))
    return site


def test_no_part_fails_however_fast_it_is_left(browser: Browser, slow: Site) -> None:
    """In between the browser can have many connections, so each walk ends with a part that is answered."""
    page = opened(browser, slow)
    page.until_text("All well")
    walk(page, random.Random(1))  # noqa: S311 no secret
    page.part("find?q=ann", "LEVEL_UP", "12,804")
    assert [] == page.complaints()


def test_what_is_left_within_its_answer_is_not_shown(browser: Browser, site: Site) -> None:
    """The head of an answer has come, its body has not: the next question's answer is the one that is shown."""
    page = opened(browser, site)
    page.until_text("All well")
    site.body_after = lambda: 0.2
    for sought in ("r1.3.7.1790000000000.1789999999990.ab12", "ann%2F7"):
        asked = len(site.asked)
        page.run(f"void (location.hash = '#/find?q={sought}')")
        page.until("document.querySelector('.sought') !== null")
        while not any("/v1/re" in path for _, path, _ in site.asked[asked:]):
            page.run("new Promise((done) => setTimeout(done, 5))")
        page.run("new Promise((done) => setTimeout(done, 50))")
    page.part("find?q=ann", "LEVEL_UP", "12,804")
    assert FAILED not in page.text()
    assert [] == page.complaints()


def test_an_answer_that_breaks_off_can_be_asked_for_again(browser: Browser, site: Site) -> None:
    page = opened(browser, site)
    page.until_text("All well")
    site.breaks = True
    page.part("definitions", "The console did not answer.")
    site.breaks = False
    page.click(".problem button")
    page.until_text("LEVEL_UP", "in force")


def test_a_part_that_failed_works_for_the_next_question(browser: Browser, site: Site) -> None:
    """The browser's console says why it failed."""
    page = opened(browser, site)
    page.until_text("All well")
    page.part(f"find?q={UNREADABLE}", FAILED)
    page.part("find?q=ann", "LEVEL_UP", "12,804")
    assert FAILED not in page.text()
    assert ["TypeError"] == [said.partition(":")[0] for said in page.complaints()]
