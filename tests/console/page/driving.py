"""A tab with the page in it, and what a person does there: keys, waiting, looking."""

import json
from dataclasses import dataclass
from typing import Any

from tests.clients.browser import Browser, Tab
from tests.clients.nodejs import packages
from tests.console.page.stub import Site
from tests.patience import PATIENCE_SECONDS

VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (one) =>
  window.violations.push(one.violatedDirective + " " + one.blockedURI));
"""

# Ten times as fast, so that a test need not wait for two seconds to see that nothing is asked.
HURRY = """
for (const name of ["setTimeout", "setInterval"]) {
  const real = window[name].bind(window);
  window[name] = (callback, millis, ...given) => real(callback, millis / 10, ...given);
}
"""

# A browser writes each of these answers to its console, and they are part of the tests.
EXPECTED_ERRORS = ("the server responded with a status of 4", "net::ERR_")

UNTIL = """
new Promise((done, fail) => {
  const end = Date.now() + MILLIS; const wait = 20;
  const look = () => {
    if (CONDITION) done();
    else if (Date.now() > end) fail(new Error(TEXT + " never was. " + document.body.innerText.slice(0, 1500)));
    else setTimeout(look, wait);
  };
  look();
})
"""


@dataclass(frozen=True, slots=True)
class Page:
    """The page in a tab."""

    browser: Browser
    tab: Tab

    def run(self, script: str) -> Any:  # noqa: ANN401 what the script's value is
        return self.tab.run(script)

    def until(self, condition: str) -> None:
        """Waits until an expression is true."""
        script = UNTIL.replace("MILLIS", str(int(PATIENCE_SECONDS * 1000)))
        script = script.replace("TEXT", json.dumps(condition)).replace("CONDITION", condition)
        try:
            self.run(script)
        except AssertionError as never:
            raise AssertionError("\n".join([str(never), "The browser says:", *self.complaints()])) from None

    def until_text(self, *texts: str) -> None:
        """Waits until all these texts are seen."""
        for text in texts:
            self.until(f"document.body.innerText.includes({json.dumps(text)})")

    def text(self, selector: str = "body") -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def count(self, selector: str) -> int:
        return int(self.run(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def part(self, route: str, *texts: str) -> None:
        """Shows a part, and waits for these texts."""
        self.run(f"void (location.hash = {json.dumps('#/' + route)})")
        self.until_text(*texts)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.browser.step("press", page=self.tab.number, key=key)

    def write(self, text: str) -> None:
        self.browser.step("write", page=self.tab.number, text=text)

    def tab_to(self, condition: str, most: int = 60) -> None:
        """Presses Tab until the element that has the focus fulfils a condition (as `one`)."""
        for _ in range(most):
            self.press("Tab")
            if self.run(f"((one) => {condition})(document.activeElement)"):
                return
        raise AssertionError(f"Tab never reaches {condition}")

    def reload(self) -> None:
        self.tab.go(self.run("location.origin") + "/?again")
        self.until('document.querySelector("main > *") !== null')

    def media(self, **media: str) -> None:
        self.browser.step("media", page=self.tab.number, **media)

    def size(self, width: int, height: int) -> None:
        self.browser.step("size", page=self.tab.number, width=width, height=height)

    def hide(self, *, hidden: bool) -> None:
        """As if another tab were in front: a headless browser believes each of its tabs to be seen."""
        state = "hidden" if hidden else "visible"
        self.run(
            f"""Object.defineProperty(document, "visibilityState", {{ configurable: true, get: () => "{state}" }});
            document.dispatchEvent(new Event("visibilitychange"))"""
        )

    def complaints(self) -> list[str]:
        """What the browser says against the page: blocked by the policy, errors that nothing has caught."""
        said = self.browser.step("said", page=self.tab.number)
        errors = [one for one in said if not any(expected in one for expected in EXPECTED_ERRORS)]
        return [*errors, *self.run("window.violations ?? []")]

    def axe(self) -> list[str]:
        """What axe-core finds: rule, where, why."""
        if not self.run("Boolean(window.axe)"):
            self.run((packages() / "axe-core" / "axe.min.js").read_text())
        found: list[dict[str, Any]] = self.run("axe.run(document).then((all) => all.violations)")
        return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def opened(browser: Browser, site: Site, route: str = "", *, cookie: bool = True, hurry: bool = False) -> Page:
    """The page for somebody new; signed in by a cookie, unless told otherwise."""
    site.cookie = cookie
    browser.visitor()
    browser.step("prepare", script=VIOLATIONS + (HURRY if hurry else ""))
    page = Page(browser, browser.open(f"{site.page}#/{route}"))
    page.until('document.querySelector("main > *") !== null')
    return page


def sign_in_by_token(page: Page, token: str) -> None:
    """By the keyboard alone, as one pastes it."""
    page.until('document.querySelector("#token") !== null')
    page.tab_to('one.id === "token"')
    page.write(f"  Bearer {token}\n")
    page.tab_to('one.type === "submit"')
    page.press("Enter")
