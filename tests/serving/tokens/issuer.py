"""An issuer on loopback: its key set, its introspection endpoint, and the requests it got."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from joserfc.jwk import KeySet, OKPKey

from tests.ingress.rig import claims, public_keys
from tests.patience import PATIENCE_SECONDS


def key(key_id: str) -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": key_id})


@dataclass
class Issuer:
    """Its answers can be changed while it runs. Until `gate` is set, every request waits."""

    url: str = ""
    jwks: str = field(default_factory=lambda: keys_text(public_keys()))
    answer: Callable[[str], web.StreamResponse] = field(default_factory=lambda: active)
    away: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)
    running: int = 0
    most_running: int = 0

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/jwks"

    @property
    def introspection_url(self) -> str:
        return f"{self.url}/introspect"

    def publish(self, *keys: OKPKey) -> None:
        self.jwks = keys_text(KeySet(list(keys)))

    async def give_keys(self, _request: web.Request) -> web.Response:
        self.asked.append("keys")
        await self.gate.wait()
        if self.away:
            raise web.HTTPServiceUnavailable
        return web.Response(text=self.jwks, content_type="application/json")

    async def introspect(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.asked.append(str(form["token"]))
        self.logins.append(request.headers.get("authorization"))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
            if self.away:
                raise web.HTTPServiceUnavailable
            return self.answer(str(form["token"]))
        finally:
            self.running -= 1


def keys_text(keys: KeySet) -> str:
    return json.dumps(keys.as_dict(private=False))


def active(_token: str) -> web.Response:
    return web.json_response({"active": True} | claims())


def not_active(_token: str) -> web.Response:
    return web.json_response({"active": False})


@asynccontextmanager
async def issuer() -> AsyncIterator[Issuer]:
    """It listens, and answers at once."""
    one = Issuer()
    one.gate.set()
    app = web.Application()
    app.router.add_get("/jwks", one.give_keys)
    app.router.add_post("/introspect", one.introspect)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield one
    finally:
        await runner.cleanup()


async def until(reached: Callable[[], bool]) -> None:
    """Let the others run until it is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not reached():  # noqa: ASYNC110 what is waited for is another's state, on a real connection
            await asyncio.sleep(0.001)
