"""A headless Chromium, and a small server of the page it opens: of another origin than the ingress, all on loopback.

The browser is driven by tests/clients/node/browse.cjs, which ends it when its own input ends: also when the test run is
killed with SIGKILL.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.clients.nodejs import HOME, NODE, packages
from tests.clients.programs import program
from tests.clients.running import environment
from tests.clients.snippets import programs
from tests.http_site import http_site

TIMEOUT_SECONDS = 60

MODULES = ("event_pools.mjs", "page.mjs")
HTML = """<!doctype html>
<title>A game</title>
<script>var tallymill = {}</script>
<script type="module" src="/page.mjs"></script>
"""


@dataclass(frozen=True, slots=True)
class Browser:
    """A running browser. `visitor` starts a session without any stored data."""

    process: "subprocess.Popen[str]"

    def step(self, step: str, **given: object) -> Any:  # noqa: ANN401 what came of it
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"step": step, **given}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser's driver is gone"
        outcome = json.loads(line)
        assert "error" not in outcome, outcome["error"]
        return outcome["value"]

    def visitor(self) -> None:
        self.step("visitor")

    def offline(self, *, on: bool) -> None:
        self.step("offline", on=on)

    def open(self, url: str) -> "Tab":
        return Tab(self, self.step("open", url=url))


@dataclass(frozen=True, slots=True)
class Tab:
    """A page of the browser's."""

    browser: Browser
    number: int

    def run(self, script: str) -> Any:  # noqa: ANN401 what the script's value is
        """The value of an expression; of a promise, once it is kept."""
        return self.browser.step("run", page=self.number, script=script)

    def go(self, url: str) -> None:
        """Leave the page for another."""
        self.browser.step("go", page=self.number, url=url)

    def close(self) -> None:
        self.browser.step("close", page=self.number)


@contextmanager
def chromium(log: Path) -> Iterator[Browser]:
    """A browser with a new, empty profile, for as long as the block lasts."""
    executable, node_modules = program("chromium"), packages()
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(NODE), str(HOME / "browse.cjs")],
            # Of a browser's sockets the whole path may have 107 bytes.
            env=environment(NODE_PATH=str(node_modules), TMPDIR="/tmp"),  # noqa: S108
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    # Leaving it closes its input, and waits for its end.
    with process:
        browser = Browser(process)
        browser.step("start", program=executable)
        yield browser


@dataclass(slots=True)
class Site:
    """The page's address and its parameters: the ingress's address, a token, the player's name."""

    origin: str = ""
    told: dict[str, str] = field(default_factory=dict)

    @property
    def page(self) -> str:
        return f"{self.origin}/"

    @property
    def elsewhere(self) -> str:
        """A page without programs."""
        return f"{self.origin}/elsewhere"

    def files(self) -> Mapping[str, tuple[str, str]]:
        """Type and text by path."""
        page = HTML.format(json.dumps(self.told))
        found = {"/": ("text/html", page), "/elsewhere": ("text/html", "<!doctype html><title>Elsewhere</title>")}
        texts = programs()
        return found | {f"/{name}": ("text/javascript", texts[name]) for name in MODULES}


@contextmanager
def serving() -> Iterator[Site]:
    """A site for as long as the block lasts."""
    site = Site()
    with http_site(type("Handler", (_Handler,), {"site": site})) as site.origin:
        yield site


class _Handler(BaseHTTPRequestHandler):
    timeout = TIMEOUT_SECONDS
    site: Site

    def do_GET(self) -> None:
        content_type, text = self.site.files().get(self.path, ("", ""))
        body = text.encode()
        self.send_response_only(200 if body else 404)
        self.send_header("Content-Type", f"{content_type or 'text/plain'}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is http.server's
        """Quiet."""
