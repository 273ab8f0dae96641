"""An ingress in memory, over HTTP, that misbehaves as it is told: what the canary must notice."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from schemas.canary import CANARY_EVENT


@dataclass(slots=True)
class StubIngress:
    """`next`: what the next answers to a batch are; without any, it is accepted and counted."""

    next: list[Callable[[web.Request], web.Response]] = field(default_factory=list)
    states: list[web.Response] = field(default_factory=list)
    lists: list[web.Response] = field(default_factory=list)
    adds: int = 1
    counted: set[str] = field(default_factory=set)
    bodies: list[bytes] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    total: int = 0
    closes: int = 0
    """So many answers to batches are lost after the batch has been counted."""
    silences: int = 0
    """So many are never sent."""

    async def record(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers["Authorization"])
        body = await request.read()
        self.bodies.append(body)
        if self.next:
            return self.next.pop(0)(request)
        request_id = json.loads(body)["requestId"]
        seen = request_id in self.counted
        if not seen:
            self.counted.add(request_id)
            self.total += self.adds
        if self.closes:
            self.closes -= 1
            assert request.transport
            request.transport.abort()
        if self.silences:
            self.silences -= 1
            await asyncio.Event().wait()
        failures = [{"failureCause": "ALREADY_UPDATED"}] if seen else []
        return web.json_response({"batchFailures": failures}, headers={"Tallymill-Receipt": "r1.0.1.2.mac"})

    async def receipt(self, _: web.Request) -> web.StreamResponse:
        return self.states.pop(0) if self.states else web.json_response({"state": "applied"})

    async def events(self, _: web.Request) -> web.StreamResponse:
        if self.lists:
            return self.lists.pop(0)
        items = [{"definitionId": CANARY_EVENT, "numEvents": str(self.total)}] if self.total else []
        return web.json_response({"items": items})


@asynccontextmanager
async def serving(stub: StubIngress) -> AsyncIterator[str]:
    """Its URL."""
    app = web.Application()
    app.router.add_post("/games/v1/events", stub.record)
    app.router.add_get("/games/v1/events", stub.events)
    app.router.add_get("/v1/receipts/{receipt}", stub.receipt)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answer(status: int, text: str = "{}", **headers: str) -> Callable[[web.Request], web.Response]:
    """An answer to a batch that is not counted."""
    return lambda _: web.Response(status=status, text=text, headers=headers)
