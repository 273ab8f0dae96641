"""Receipts and requests on real servers: the answers show what a real worker writes."""

import time
from pathlib import Path
from typing import Any

import aiohttp

from schemas.coordinates import Coordinates
from schemas.documents import LINEAGES, REQUESTS
from schemas.records.receipt import Receipt, issue_receipt
from tests.ingress.real import Running, fresh_token, ingress_process, now_millis, until_ready
from tests.ingress.rig import token
from tests.ingress.stage import fresh_batch, stage
from tests.samples import KEYS
from tests.servers import Servers
from tests.stored_ids import stored_ids

HOUR_MILLIS = 3_600_000


async def get(running: Running, session: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, Any]:
    async with session.get(running.url + path, headers=headers) as response:
        return response.status, await response.json()


async def state(running: Running, session: aiohttp.ClientSession, receipt: str) -> tuple[int, str | None, str | None]:
    status, told = await get(running, session, f"/v1/receipts/{receipt}")
    return status, told.get("state"), told.get("cause")


async def test_g16_each_of_three_attempts_has_its_own_receipt_and_one_request_counted(
    servers: Servers, tmp_path: Path
) -> None:
    """The first, the same again, and another payload under its id: applied, duplicate, duplicate."""
    async with stage(servers, tmp_path) as one, aiohttp.ClientSession() as session:
        with ingress_process(one.ingress) as running:
            await until_ready(running, session)
            body = fresh_batch(1)
            receipts = [
                (await running.post(session, sent))[1]["Tallymill-Receipt"] for sent in (body, body, fresh_batch(2))
            ]
            assert [
                (200, "applied", None),
                (200, "duplicate", "ALREADY_UPDATED"),
                (200, "duplicate", "PAYLOAD_DIFFERS"),
            ] == [await state(running, session, receipt) for receipt in receipts]
            async with session.get(f"{running.url}/metrics") as response:
                assert 'tallymill_ingress_payload_differs_total{api="games"} 1.0' in await response.text()
            authorization = f"Bearer {fresh_token()}"
            status, told = await get(running, session, "/v1/requests/7", authorization=authorization)
            assert (200, "7", "applied") == (status, told["requestId"], told["state"])
            remembered = stored_ids((await one.where.documents(REQUESTS)).values())["demo/ann/7"].at
            assert remembered.isoformat(timespec="milliseconds").replace("+00:00", "Z") == told["at"]
            assert 404 == (await get(running, session, "/v1/requests/8", authorization=authorization))[0]
            await a_second_player_has_an_own_request(running, session, authorization)


async def a_second_player_has_an_own_request(running: Running, session: aiohttp.ClientSession, first: str) -> None:
    """B6: the second player may use the first one's id, has separate totals, and no log has a token."""
    second = f"Bearer {token(sub='bob', exp=int(time.time()) + 3600)}"
    assert 404 == (await get(running, session, "/v1/requests/7", authorization=second))[0]
    status, _, answer = await running.post(session, fresh_batch(5), authorization=second)
    assert (200, [], "5") == (status, answer["batchFailures"], answer["playerEvents"][0]["numEvents"])
    assert 200 == (await get(running, session, "/v1/requests/7", authorization=second))[0]
    _, _, again = await running.post(session, fresh_batch(1), authorization=first)
    assert [("ann", "1")] == [(event["playerId"], event["numEvents"]) for event in again["playerEvents"]]
    texts = [text for sent in (first, second) for text in sent.removeprefix("Bearer ").split(".")[1:]]
    assert [] == [text for text in texts if text in running.log.read_text()]


async def test_a_receipt_waits_for_its_checkpoint_until_a_newer_lineage_ends_that(
    servers: Servers, tmp_path: Path
) -> None:
    """Ahead of the checkpoint: pending. Of a lineage that was replaced or never existed: 410."""
    async with stage(servers, tmp_path) as one, aiohttp.ClientSession() as session:
        lineage = (await one.where.documents(LINEAGES))["r1"]
        ahead, unknown = (
            issue_receipt(Receipt(Coordinates(name, 0, 1_000), now_millis()), KEYS) for name in (lineage["_id"], "r77")
        )
        old = issue_receipt(Receipt(Coordinates(lineage["_id"], 0, 0), now_millis() - 24 * 14 * HOUR_MILLIS), KEYS)
        with ingress_process(one.ingress) as running:
            await until_ready(running, session)
            assert (200, "pending", None) == await state(running, session, ahead)
            assert (410, 410) == tuple([(await state(running, session, text))[0] for text in (unknown, old)])
            await one.where.database[LINEAGES].insert_one({**lineage, "_id": "r9", "generation": 2})
            assert 410 == (await state(running, session, ahead))[0]
