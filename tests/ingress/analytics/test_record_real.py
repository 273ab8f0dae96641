"""AddEventBatch on real servers: a worker process that reads both topics, an ingress, and what MongoDB holds then."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from schemas.documents import EVENTS
from schemas.openapi.examples import DOCUMENTED_POOL
from tests.consumer.processes import workers
from tests.ingress.real import Running, config, fresh_token, ingress_process, now_millis, until_ready
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.samples import item
from tests.servers import Servers

ITEMS = 10_000
OK = {"StatusCode": 0, "Severity": 1, "StatusMessage": "OK", "Content": True}


@asynccontextmanager
async def system(servers: Servers, folder: Path) -> AsyncIterator[tuple[Place, Running, aiohttp.ClientSession]]:
    async with place(servers, apis=["games", "analytics"]) as where, aiohttp.ClientSession() as session:
        name = where.settings.kafka.records_topic
        file = config(folder, servers.kafka, servers.mongodb, name, apply_timeout_seconds=PATIENCE_SECONDS)
        with workers(folder, where.settings) as started, ingress_process(file) as running:
            started.start()
            await until_ready(running, session)
            yield where, running, session


async def add(
    running: Running, session: aiohttp.ClientSession, pool: dict[str, Any], path: str = "/2.4/AddEventBatch"
) -> tuple[int, Any, Mapping[str, str]]:
    # As sendBeacon and older clients send it: JSON by its first byte, the token in the body.
    headers = {"content-type": "text/plain;charset=UTF-8"}
    body = json.dumps(pool | {"Token": fresh_token()}).encode()
    async with session.post(running.url + path, data=io.BytesIO(body), headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


async def others_are_answered(running: Running, session: aiohttp.ClientSession, until: asyncio.Task[Any]) -> None:
    """Other requests are answered meanwhile (B8; that reading does not delay them: test_record.py)."""
    while not until.done():
        async with session.get(f"{running.url}/livez") as live:
            assert 200 == live.status
        await asyncio.sleep(0.01)


async def test_a12_a11_the_documents_example_comes_back_and_a_large_pool_is_registered_once(
    servers: Servers, tmp_path: Path
) -> None:
    """Five Data objects in their order; 10,000 events by one request, and by the same request again no more."""
    async with system(servers, tmp_path) as (where, running, session):
        status, answer, headers = await add(running, session, DOCUMENTED_POOL)
        assert (200, OK) == (status, answer)
        assert "visible;dur=" in headers["Server-Timing"]
        (event,) = (await where.documents(EVENTS)).values()
        assert json.dumps(DOCUMENTED_POOL["eventData"][0]["Data"]) == json.dumps(event["data"])
        assert ("Navigation", "ann", "future") == (event["event"], event["actor"], event["clock"])

        now = now_millis()
        pool = {"eventData": [item(f"T{n % 7}", now - n, n=n) for n in range(ITEMS)]}
        adding = asyncio.create_task(add(running, session, pool))
        await others_are_answered(running, session, adding)
        first = await adding
        again = await add(running, session, pool)
        assert [(200, OK), (200, OK)] == [first[:2], again[:2]]
        assert [None, "true"] == [one[2].get("Tallymill-Duplicate") for one in (first, again)]
        numbers = {event["data"]["n"] async for event in where.database[EVENTS].find({"event": {"$ne": "Navigation"}})}
        assert set(range(ITEMS)) == numbers
        assert ITEMS + 1 == await where.database[EVENTS].count_documents({})
        url = f"{running.url}/v1/receipts/{again[2]['Tallymill-Receipt']}"
        async with session.get(url) as receipt:
            assert "duplicate" == (await receipt.json())["state"]
