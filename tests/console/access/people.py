"""Whoever asks the console in a test: with a bearer token, or in a browser that has signed in."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from console.access.links import link
from tests.console.rig import SESSION_KEY, Answer, Rig, read_token

PAGE = {"host": "127.0.0.1:8090", "origin": "http://127.0.0.1:8090", "sec-fetch-site": "same-origin"}


def bearer(scopes: Iterable[str], app: str = "demo") -> dict[str, str]:
    return {"authorization": f"Bearer {read_token(scope=' '.join(scopes), app=app)}"}


@dataclass
class Browser:
    """Keeps cookies, and sends what the page sends."""

    rig: Rig
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str | None = None
    page: Mapping[str, str] = field(default_factory=lambda: PAGE)

    @property
    def headers(self) -> dict[str, str]:
        cookies = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        return {**self.page, **(cookies if self.cookies else {}), **({"x-csrf-token": self.csrf} if self.csrf else {})}

    def keep(self, answer: Answer) -> Answer:
        """Keeps what the answer sets."""
        for line in answer.cookies:
            name, _, value = line.partition(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    async def open_link(self, app: str = "demo", code: str | None = None) -> Answer:
        """Opens a link, as open.js does."""
        made = link("", SESSION_KEY, app, time.time()).partition("#")[2] if code is None else code
        answer = self.keep(await self.rig.post("/v1/session", {"code": made}, self.headers))
        if answer.status == 200:
            self.csrf = answer.json["csrfToken"]
        return answer

    def sign_in(self, scopes: Iterable[str], app: str = "demo", subject: str = "ann") -> None:
        """A session with these scopes, however it began."""
        assert self.rig.signing
        caller, (_, cookie) = self.rig.signing.sessions.begin(subject, app, scopes, time.time())
        name, _, value = cookie.decode().partition(";")[0].partition("=")
        self.cookies[name], self.csrf = value, caller.csrf
