"""The lists on a real MongoDB, and that a running ingress gets to know what `definitions apply` wrote."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from ops.definitions.changes import DeclaredEvent, DefinitionsFile, apply_changes, changes, existing_definitions
from schemas.documents import PLAYERS
from tests.ingress.real import Running, config, declare, fresh_token, ingress_process, make_topic, until_ready
from tests.ingress.rig import batch, period, update
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

pytestmark = pytest.mark.real

EVENTS, DEFINITIONS = "/games/v1/events", "/games/v1/eventDefinitions"


@dataclass(frozen=True)
class Stage:
    running: Running
    session: aiohttp.ClientSession
    database: AsyncDatabase[dict[str, Any]]

    async def get(self, path: str, accept: str = "", **query: str) -> Any:  # noqa: ANN401 JSON is any
        headers = {"authorization": f"Bearer {fresh_token()}"}
        if accept:
            headers["accept-language"] = accept
        async with self.session.get(self.running.url + path, params=query, headers=headers) as response:
            assert 200 == response.status, await response.text()
            return await response.json()

    async def names(self) -> dict[str, str]:
        return {item["id"]: item["displayName"] for item in (await self.get(DEFINITIONS))["items"]}

    async def until_names_are(self, expected: dict[str, str]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while expected != await self.names():  # noqa: ASYNC110 another process has no event to wait for
                await asyncio.sleep(0.1)

    async def apply(self, *events: DeclaredEvent) -> None:
        """As the command does, but dated a second ago, so that no difference of clocks hides the definitions."""
        file = DefinitionsFile(app="demo", definitions=events)
        now = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
        await apply_changes(self.database, changes(file, await existing_definitions(self.database, "demo"), now))

    async def record(self, event: str) -> list[Mapping[str, str]]:
        """The failures of one update."""
        now = int(datetime.now(UTC).timestamp() * 1000)
        body = batch(period(update(event), start=now - 60_000, end=now), sent_millis=now)
        _, _, answer = await self.running.post(self.session, body)
        failures: list[Mapping[str, str]] = answer["eventFailures"]
        return failures


@asynccontextmanager
async def staged(servers: Servers, folder: Path) -> AsyncIterator[Stage]:
    name = f"lists-{uuid.uuid4().hex[:8]}"
    await make_topic(servers.kafka, name)
    declare(servers.mongodb, name)
    file = config(folder, servers.kafka, servers.mongodb, name, apply_timeout_seconds=0)
    async with (
        AsyncMongoClient[dict[str, Any]](servers.mongodb, tz_aware=True) as client,
        aiohttp.ClientSession() as session,
    ):
        await client[name]["definitions"].insert_one({"_id": "other/BROKEN", "app": "other"})
        with ingress_process(file) as running:
            await until_ready(running, session)
            yield Stage(running, session, client[name])
        await client.drop_database(name)


async def test_g20_what_apply_wrote_is_known_to_a_running_ingress(servers: Servers, tmp_path: Path) -> None:
    """A changed text, a new event, a retirement. An unreadable definition of another app affects no request."""
    async with staged(servers, tmp_path) as stage:
        assert {"LEVEL_UP": "Level up"} == await stage.names()
        assert [] == await stage.record("LEVEL_UP")
        other = DeclaredEvent(id="B", names={"en": "b"})
        await stage.apply(DeclaredEvent(id="LEVEL_UP", names={"en": "$Level"}), other)
        await stage.until_names_are({"LEVEL_UP": "$Level", "B": "b"})
        await stage.apply(other)
        await stage.until_names_are({"B": "b"})
        assert ["NOT_FOUND"] == [failure["failureCause"] for failure in await stage.record("LEVEL_UP")]
        await page_through(stage)


async def test_g19_tags_of_one_meaning_find_one_text(servers: Servers, tmp_path: Path) -> None:
    """Declared by today's tag or by another, asked for by the parameter or by the header."""
    tags = {"he": "iw", "in": "id", "nb": "no", "tl": "fil", "zh-Hans": "zh-CN", "zh-TW": "zh-Hant", "sr-Latn": "sh"}
    async with staged(servers, tmp_path) as stage:
        await stage.apply(DeclaredEvent(id="A", names={"en": "English", **{tag: tag for tag in tags}}))
        await stage.until_names_are({"A": "English"})
        for declared, asked in tags.items():
            assert declared == (await stage.get(DEFINITIONS, language=asked))["items"][0]["displayName"]
            assert (
                declared == (await stage.get(DEFINITIONS, accept=f"{asked};q=0.9, en;q=0.1"))["items"][0]["displayName"]
            )
        assert "English" == (await stage.get(DEFINITIONS, language="sr"))["items"][0]["displayName"]


async def page_through(stage: Stage) -> None:
    """Totals as workers write them, listed in pages; retired ones too."""
    await stage.database[PLAYERS].insert_one({"_id": "demo/ann", "totals": {"LEVEL_UP": 1_234, "B": 2, "C": 0}})
    first = await stage.get(EVENTS, maxResults="1", language="de")
    assert ["B"] == [item["definitionId"] for item in first["items"]]
    last = await stage.get(EVENTS, maxResults="1", language="de", pageToken=first["nextPageToken"])
    assert ["1.234"] == [item["formattedNumEvents"] for item in last["items"]]
    assert "nextPageToken" not in last
