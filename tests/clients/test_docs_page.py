"""The page at /docs in a browser, against a real ingress and worker: its examples count each time they are executed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.browser import Tab, chromium
from tests.clients.running import System, until

pytestmark = pytest.mark.timeout(600)

# Waits for what the page shows, clicks, and tells the status that the last execution has.
SCRIPT = """
(async () => {
  const seen = async (find) => {
    for (;;) {
      const found = find();
      if (found) return found;
      await new Promise((go) => setTimeout(go, 20));
    }
  };
  await seen(() => window.ui && document.querySelector(".opblock"));
  ui.preauthorizeApiKey("bearer", TOKEN);
  const block = await seen(() => document.querySelector("[id$=-OPERATION]"));
  if (!block.classList.contains("is-open")) block.querySelector(".opblock-summary-control").click();
  const again = block.querySelector(".btn-clear");
  if (again) again.click();
  else (await seen(() => block.querySelector(".try-out__btn"))).click();
  await seen(() => !block.querySelector(".live-responses-table"));
  (await seen(() => block.querySelector(".btn.execute"))).click();
  const status = await seen(() => block.querySelector(".live-responses-table tbody .response-col_status"));
  return status.textContent.trim().slice(0, 3);
})()
"""


@pytest.fixture
def page(system: System, tmp_path: Path) -> Iterator[Tab]:
    with chromium(tmp_path / "browser.log") as browser:
        browser.visitor()
        yield browser.open(f"{system.url}/docs")


def execute(tab: Tab, operation: str, token: str) -> str:
    return str(tab.run(SCRIPT.replace("TOKEN", json.dumps(token)).replace("OPERATION", operation)))


def test_b7_each_execution_of_the_pages_examples_counts(system: System, page: Tab) -> None:
    """A second one with the id of the first would be a duplicate."""
    token = system.token("docs")
    assert ["200", "200"] == [execute(page, "recordEvents", token) for _ in range(2)]
    until(lambda: system.totals("docs") == {"LEVEL_UP": 6}, "both batches of three are counted")
    for registered, operation in enumerate(("addEvent", "addEvent", "addEventBatch", "addEventBatch"), 1):
        assert "200" == execute(page, operation, token)
        assert registered == len(system.events("docs")), "an answer of OK says that they are registered"
