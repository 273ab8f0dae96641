"""A dashboard that asks two consoles for a sum all the time, and turns to the other one if the first fails."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp

from tests.faults.cluster.stage.system import APP, Process

PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class Dashboard:
    """`sums`: what it was answered, in order. `unanswered`: questions that neither console answered."""

    sums: list[int] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0

    async def ask(self, session: aiohttp.ClientSession, consoles: Sequence[Process]) -> None:
        now = datetime.now(UTC)
        asked = {"app": APP, "source": "games", "step": "total", "from": _text(now - timedelta(hours=3))}
        asked["to"] = _text(now + timedelta(hours=1))
        for console in consoles:
            try:
                async with session.get(f"{console.url}/v1/counts", params=asked) as reply:
                    if reply.status == 200:
                        self.sums.append(sum(row["count"] for row in (await reply.json())["rows"]))
                        return
                    self.errors[str(reply.status)] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                self.errors[type(error).__name__] += 1
        self.unanswered += 1


@asynccontextmanager
async def dashboard(consoles: Sequence[Process], token: str) -> AsyncIterator[Dashboard]:
    """It asks until the block ends, the consoles in turn."""
    reader = Dashboard()

    async def ask_on() -> None:
        turn = list(consoles)
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, timeout=timeout) as session:
            while True:
                await reader.ask(session, turn)
                turn.append(turn.pop(0))
                await asyncio.sleep(PAUSE_SECONDS)

    asking = asyncio.create_task(ask_on())
    try:
        yield reader
    finally:
        asking.cancel()
        await asyncio.wait((asking,))


def _text(at: datetime) -> str:
    return at.replace(minute=0, second=0, microsecond=0).isoformat().replace("+00:00", "Z")
