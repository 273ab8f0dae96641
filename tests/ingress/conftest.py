"""An ingress whose background tasks run as long as the test."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.ingress.rig import Rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Definitions and lineage read, the watch running, a worker that counts at once."""
    one = Rig()
    async for running in running_rig(one):
        yield running


async def running_rig(rig: Rig) -> AsyncIterator[Rig]:
    await rig.games.lineage.read()
    await rig.analytics.lineage.read()
    await rig.definitions.preload()
    watches = [asyncio.create_task(applied.run()) for applied in (rig.games.watch, rig.analytics.watch)]
    yield rig
    for watch in watches:
        watch.cancel()
    await asyncio.gather(*watches, return_exceptions=True)
