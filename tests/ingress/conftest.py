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
    await rig.parts.lineage.read()
    await rig.parts.definitions.preload()
    watch = asyncio.create_task(rig.parts.applied.run())
    yield rig
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
