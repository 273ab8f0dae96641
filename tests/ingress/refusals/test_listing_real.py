"""Refusals on real servers: made by init, written by a running ingress, read back by an operator."""

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp

from ingress.mongo import MongoStore
from ingress.ports import SampledRefusal, Unavailable
from ops.doctor.command import refusals_check
from ops.init.command import initialise, refusals_options, wrong
from schemas.documents import REFUSALS
from tests.ingress.real import Running, config, fresh_token, ingress_process, now_millis, until_ready
from tests.ingress.rig import batch, period, token, update
from tests.patience import PATIENCE_SECONDS
from tests.real import place
from tests.servers import Servers


def operator_token() -> str:
    return token(sub="operator", scope="tallymill.refusals", exp=int(time.time()) + 3600)


async def refusals(
    running: Running, session: aiohttp.ClientSession, query: str = "", bearer: str | None = None
) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {bearer or operator_token()}"}
    async with session.get(f"{running.url}/v1/refusals{query}", headers=headers) as response:
        return response.status, await response.json()


async def test_what_an_ingress_refuses_is_read_back_by_an_operator_alone(servers: Servers, tmp_path: Path) -> None:
    """Newest first, by page and by cause; the client's bytes are binary in MongoDB; a player's token is 403."""
    async with place(servers, partitions=1) as where, aiohttp.ClientSession() as session:
        file = config(tmp_path, servers.kafka, servers.mongodb, where.settings.kafka.records_topic)
        with ingress_process(file) as running:
            await until_ready(running, session)
            now = now_millis()
            await running.post(session, b'{"requestId":"5","odd":1}')
            await running.post(session, batch(period(update("GONE"), start=now - 60_000, end=now), sent_millis=now))
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len((found := await refusals(running, session))[1]["refusals"]) < 2:  # noqa: ASYNC110 another process
                    await asyncio.sleep(0.05)
            assert 200 == found[0]
            assert [("NOT_FOUND", "7"), ("MALFORMED", "5")] == [
                (one["cause"], one["requestId"]) for one in found[1]["refusals"]
            ]
            _, first = await refusals(running, session, "?limit=1")
            _, second = await refusals(running, session, f"?limit=1&before={first['nextBefore']}")
            assert found[1]["refusals"] == first["refusals"] + second["refusals"]
            _, malformed = await refusals(running, session, "?cause=MALFORMED&player=ann")
            assert second["refusals"] == malformed["refusals"]
            assert 403 == (await refusals(running, session, bearer=fresh_token()))[0]
        kept = (await where.documents(REFUSALS)).values()
        assert {bytes} == {type(document["firstBytes"]) for document in kept}
        options = await refusals_options(where.database)
        assert options is not None
        assert (True, 16 << 20) == (options["capped"], options["size"])


async def test_a_collection_that_is_not_capped_is_told_and_never_written_to(servers: Servers) -> None:
    """By init, which leaves it as it is, and by the doctor; nor does an ingress make one that is missing."""
    async with place(servers, partitions=1) as where:
        store = MongoStore(where.settings.mongodb)
        sample = store.refusal_store()
        one = SampledRefusal("demo", "ann", "TOO_LARGE", "", b"{}", None, now_millis())
        await sample.add_refusals([one])
        assert 1 == await where.database[REFUSALS].count_documents({})
        await where.database.drop_collection(REFUSALS)
        assert await _is_not_taken(sample, one)
        assert REFUSALS not in await where.database.list_collection_names()
        await where.database.create_collection(REFUSALS)
        assert await _is_not_taken(sample, one)
        (finding,) = wrong(await initialise(where.settings))
        assert f"collection {REFUSALS}" == finding.what
        assert "convertToCapped" in finding.detail
        assert "warning" == refusals_check(await refusals_options(where.database), 16 << 20).state
        await where.database.command("convertToCapped", REFUSALS, size=16 << 20)
        assert [] == wrong(await initialise(where.settings))
        await store.close()


async def _is_not_taken(sample: Any, one: SampledRefusal) -> bool:  # noqa: ANN401 the adapter
    try:
        await sample.add_refusals([one])
    except Unavailable as error:
        return "tallymill init" in str(error)
    return False
