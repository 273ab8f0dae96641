"""Every part of the page: with data, without, and where the viewer may not see it. axe finds nothing anywhere."""

from collections.abc import Iterator

import pytest

from tests.clients.browser import Browser
from tests.console.page import examples, stub
from tests.console.page.driving import Page, opened
from tests.console.page.stub import Site
from tests.console.snapshots import example_snapshot

pytestmark = pytest.mark.real

RECEIPT = "r1.3.7.1790000000000.1789999999990.ab12"

PARTS = {
    "": ("All well", "18,204,551", "it balances", "in step", "worker-3", "found no fault"),
    "counts": ("in 24 hours", "LEVEL_UP", "By event", "Over time", "so far"),
    "counts?source=analytics&range=400d": ("in 400 days", "Navigation", "each week"),
    "counts?event=LEVEL_UP&range=5m": ("in 5 minutes", "each minute"),
    "find?q=ann": ("LEVEL_UP", "12,804", "counted"),
    f"find?q={RECEIPT}": ("applied", "It is counted.", "r1/03/7"),
    "find?q=ann%2F7": ("applied", "requestId"),
    "definitions": ("LEVEL_UP", "Level up", "pt-BR", "retired", "in force"),
    "refusals": ("NOT_FOUND", "1.42/s", "LEVLE_UP", "refused"),
    "refusals?cause=TOO_LARGE": ("Samples of TOO_LARGE",),
    "dead-letters": ("r1/00/2275560", "not JSON", "3 open of 4"),
}


def checked(page: Page) -> None:
    """In both themes; in one of them on a wide screen, in the other on a narrow one."""
    for theme, width in (("dark", 320), ("light", 1440)):
        page.media(colorScheme=theme, reducedMotion="reduce")
        page.size(width, 900)
        page.until(f'document.documentElement.dataset.theme === "{theme}"')
        assert page.run("document.documentElement.scrollWidth") <= width
        assert [] == page.axe(), theme
    assert [] == page.complaints()


# These have nothing that the others don't have.
ALIKE = ("counts?source", "counts?event", "find?q=r1", "refusals?")


@pytest.fixture(scope="module")
def visited(browser: Browser) -> Iterator[Page]:
    """One page, on which the tests go from part to part."""
    with stub.serving() as site:
        yield opened(browser, site)


@pytest.mark.parametrize("route", PARTS)
def test_parts_with_data(visited: Page, route: str) -> None:
    visited.part(route, *PARTS[route])
    visited.until('document.querySelector("[aria-busy=true]") === null')
    if not route.startswith(ALIKE):
        checked(visited)
    assert [] == visited.complaints()


EMPTY = {
    "": "Waiting for the first batch",
    "counts": "Nothing was counted in this range",
    "counts?event=LEVLE_UP": "Is it spelt as in Definitions?",
    "find": "What became of a batch?",
    "find?q=nobody": "There is no such player",
    "definitions": "No event is declared",
    "refusals": "Nothing was refused",
    "dead-letters": "There are no dead letters",
}


def test_parts_without_data(browser: Browser, site: Site) -> None:
    """Each says what is missing, and what one can do."""
    site.nothing, site.system = True, examples.empty
    page = opened(browser, site)
    for route, text in EMPTY.items():
        page.part(route, text)
        page.until('document.querySelector("[aria-busy=true]") === null')
        if route in ("", "counts", "find"):
            assert [] == page.axe(), route
    assert [] == page.complaints()


@pytest.mark.parametrize(
    ("name", "texts"),
    {
        "degraded": ("Degraded", "partition 3 is stopped", "no owner", "behind", "is overdue", "found a fault"),
        "down": ("Down", "Kafka does not answer", "+2", "it does not balance", "not known"),
    }.items(),
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_states(browser: Browser, site: Site, name: str, texts: tuple[str, ...]) -> None:
    """The first reason, since when, and what is wrong where."""
    site.system = getattr(examples, name)
    page = opened(browser, site)
    page.until_text(*texts)
    assert {"degraded": "▲ Degraded", "down": "■ Down"}[name] in page.run("document.title")
    assert page.run("document.querySelector('link[rel=icon]').href").endswith(f"/{name}.svg")
    checked(page)


def test_unknown_is_never_0(browser: Browser, site: Site) -> None:
    """Where Kafka does not answer, the numbers that need it are not known."""
    site.system = examples.down
    page = opened(browser, site)
    page.until_text("Down")
    shown = page.run("""Object.fromEntries([...document.querySelectorAll(".tile")].map(
        (tile) => [tile.getAttribute("aria-label"), tile.querySelector(".tile-value").textContent]))""")
    assert {"–not known"} == {shown["Accepted"], shown["Worst lag"]}  # noqa: RUF001 as it is shown


def test_the_observers_own_example(browser: Browser, site: Site) -> None:
    """Every field has a value or null, as the observer's tests have them."""
    site.system = lambda _: example_snapshot()
    site.frozen = example_snapshot().as_of_millis
    page = opened(browser, site)
    page.until_text("the log was cut", "INVALID_UPDATE_VALUE", "has one replica", "1,200 records")
    assert "The console has seen nothing new" in page.text(".strip"), "it is of another day"
    assert [] == page.complaints()


def test_scopes_that_are_missing_are_named(browser: Browser, site: Site) -> None:
    site.scopes = ("tallymill.read",)
    page = opened(browser, site, "refusals")
    page.until_text("You may not see what was refused", "tallymill.refusals")
    page.part("dead-letters", "You may not see dead letters")
    assert [] == page.axe()
    site.scopes = ("tallymill.read", "tallymill.refusals")
    page = opened(browser, site, "dead-letters")
    page.until_text("r1/00/2275560", "needs the scope tallymill.operate")
    assert 0 == page.count("main input[type=checkbox]")
    site.scopes = ()
    page = opened(browser, site)
    page.until_text("You may not see the state of the system", "Not known")
    page.part("counts", "You may not see these counts")
    assert [] == page.complaints()


def test_names_that_look_like_code_are_text(browser: Browser, site: Site) -> None:
    """A player and a title that are HTML run nothing and load nothing, wherever they stand."""
    page = opened(browser, site, "refusals")
    page.until_text(examples.HOSTILE)
    page.run("[...document.querySelectorAll('td a')].find((one) => one.textContent.startsWith('<img')).click()")
    page.until(
        'document.querySelector("h1 q") !== null && document.querySelector("h2")?.textContent.startsWith("<img")'
    )
    page.part("counts?source=analytics", "By event")
    page.until_text(examples.HOSTILE)
    page.run("[...document.querySelectorAll('button.link')].find((one) => one.textContent.startsWith('<img')).click()")
    page.until("decodeURIComponent(location.hash).includes('event=<img')")
    page.part("definitions", examples.HOSTILE)
    assert 0 == page.count("main img") + page.count("main script")
    assert "tallymill" in page.run("document.title")
    assert [] == page.complaints()
