"""A console that answers from examples: the page's own files with the strict headers, and the routes that it asks.

Tests change `site.system`, `site.scopes` and the like between two requests of the page.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from console.observer.snapshot import Snapshot
from tests.console.page import examples
from tests.http_site import http_site

PAGE = Path(__file__).parent.parent.parent.parent / "console" / "page"

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

# The answer of this player is not as the page expects it.
UNREADABLE = "unreadable"

CSRF = "h3kQ0b0m0Zb1cW1m0l1y1A"


def now_millis() -> int:
    return time.time_ns() // 1_000_000


def _well(now: int) -> Snapshot:
    return examples.well(now)


def _at_once() -> float:
    return 0


@dataclass
class Site:
    """What the stub answers, and what it was asked. `body_after`: seconds from the head of an answer to its body.

    `breaks`: a body ends before its last byte.
    """

    origin: str = ""
    system: Callable[[int], Snapshot] = _well
    scopes: tuple[str, ...] = tuple(examples.ALL_SCOPES.split())
    cookie: bool = False
    oidc: bool = False
    events: int = 6
    nothing: bool = False
    frozen: int | None = None
    ready: bool = True
    body_after: Callable[[], float] = _at_once
    breaks: bool = False
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)

    @property
    def page(self) -> str:
        return f"{self.origin}/"

    def times(self, path: str) -> int:
        return sum(1 for _, asked, _ in self.asked if asked == path)

    def statuses(self, path: str) -> list[int]:
        return [status for _, asked, status in self.asked if asked == path]

    def answer(self, path: str, query: Mapping[str, str], *, signed_in: bool) -> tuple[int, Any]:
        """Status and body of a GET."""
        if not self.ready:
            return _failure(503, "The console has no keys yet. Try again.")
        if path == "/v1/session":
            return self._session(signed_in=signed_in)
        if not signed_in:
            return _failure(401, "A token is needed.")
        if path.startswith(("/v1/refusals", "/v1/dead-letters")) and "tallymill.refusals" not in self.scopes:
            return _failure(403, "The scope tallymill.refusals is missing.")
        if "tallymill.read" not in self.scopes:
            return _failure(403, "The scope tallymill.read is missing.")
        return self._data(path, query)

    def _session(self, *, signed_in: bool) -> tuple[int, Any]:
        ways = ["oidc", "token"] if self.oidc else ["token"]
        if not signed_in:
            return 200, {"signedIn": False, "signIn": ways, "scopes": []}
        who = {"app": "demo", "subject": "grafana", "scopes": list(self.scopes), "way": "session"}
        return 200, {"signedIn": True, "signIn": ways, **who, "csrfToken": CSRF if self.cookie else None}

    def _data(self, path: str, query: Mapping[str, str]) -> tuple[int, Any]:
        now = self.frozen or now_millis()
        found: Callable[[], dict[str, Any]] | None = {
            "/v1/system": lambda: self.system(now).as_json(),
            "/v1/counts": lambda: self._counts(query, now),
            "/v1/apps": lambda: {"apps": [{"app": "demo"}, {"app": "other"}]},
            "/v1/definitions": lambda: {"definitions": [] if self.nothing else examples.DEFINITIONS},
            "/v1/refusals": lambda: self._refusals(query, now),
            "/v1/dead-letters": lambda: {"deadLetters": [] if self.nothing else examples.dead_letters(now)},
        }.get(path)
        if found:
            return 200, found()
        kind, _, name = path.removeprefix("/v1/").partition("/")
        return self._found(kind, unquote(name), query)

    def _refusals(self, query: Mapping[str, str], now: int) -> dict[str, Any]:
        every = [] if self.nothing else examples.refusals(now)
        causes = Counter(one["cause"] for one in every)
        shown = [one for one in every if query.get("cause", one["cause"]) == one["cause"]]
        return {"refusals": shown, "causes": [{"cause": cause, "samples": many} for cause, many in causes.items()]}

    def _counts(self, query: Mapping[str, str], now: int) -> dict[str, Any]:
        found = examples.counts(query, now, self.events)
        return found | {"rows": []} if self.nothing else found

    def _found(self, kind: str, name: str, query: Mapping[str, str]) -> tuple[int, Any]:
        place = {"lineage": "r1", "partition": 3, "offset": 7}
        if kind == "receipts" and name.startswith("r1.3.7."):
            return 200, {
                "basis": "accepted",
                "receipt": name,
                **place,
                "counted": True,
                "state": "applied",
                "cause": None,
            }
        if kind == "requests" and (name, query.get("player"), query.get("source")) == ("7", "ann", "games"):
            at = "2026-11-23T13:00:00.000Z"
            return 200, {"basis": "counted", "player": "ann", "requestId": "7", "state": "applied", "at": at, **place}
        if kind == "players" and name == UNREADABLE:
            return 200, {"player": name, "totals": None}
        if kind == "players" and name in ("ann", examples.HOSTILE):
            return 200, {
                "basis": "counted",
                "player": name,
                "totals": {"LEVEL_UP": 41, "COIN_EARNED": 12_804},
                "updatedAt": None,
            }
        return _failure(404, "Not found.")


def _failure(status: int, message: str) -> tuple[int, Any]:
    return status, {"error": {"code": status, "message": message}}


@contextmanager
def serving(port: int = 0) -> Iterator[Site]:
    """A stub for as long as the block lasts."""
    site = Site()
    with http_site(type("Handler", (_Handler,), {"site": site}), port) as site.origin:
        yield site


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    site: Site

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        if path == "/" or path.startswith("/page/"):
            self._file("index.html" if path == "/" else path.removeprefix("/page/"))
            return
        status, body = self.site.answer(path, query, signed_in=self._signed_in())
        self._json(path, status, body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        self.site.sent.append({"path": self.path, "csrf": self.headers.get("X-CSRF-Token"), **body})
        if self.path == "/logout":
            self.site.cookie = False
            self._json(self.path, 200, {"endSessionUrl": None})
            return
        ids, dry = body["ids"], body["dryRun"]
        confirm = f"redrive {len(ids)}"
        if not dry and body.get("confirm") != confirm:
            self._json(self.path, *_failure(400, "The dry run's confirm is missing."))
            return
        answer = {"dryRun": dry, "ids": ids, "skipped": [], "confirm": confirm, "redriven": 0 if dry else len(ids)}
        self._json(self.path, 200, {**answer, "problem": None})

    def _signed_in(self) -> bool:
        return self.site.cookie or self.headers.get("Authorization") == f"Bearer {examples.jwt()}"

    def _file(self, name: str) -> None:
        path = (PAGE / name).resolve()
        known = path.is_file() and path.is_relative_to(PAGE)
        self._reply(200 if known else 404, TYPES.get(path.suffix, "text/plain"), path.read_bytes() if known else b"")

    def _json(self, path: str, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        tag = f'"{hashlib.sha256(text).hexdigest()[:16]}"'
        if status == 200 and self.headers.get("If-None-Match") == tag:
            status, text = 304, b""
        self.site.asked.append((self.command, path, status))
        self._reply(status, "application/json", text, ETag=tag)

    def _reply(self, status: int, content_type: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if content_type == "application/json":
            time.sleep(self.site.body_after())
        if content_type == "application/json" and self.site.breaks:
            body, self.close_connection = body[:-1], True
        with suppress(ConnectionError):  # the page has given up what it asked
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is http.server's
        """Quiet."""
