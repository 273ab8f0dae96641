"""A log is cut while an ingress runs: no answer about an old record is given for a new one."""

import asyncio
from pathlib import Path

import aiohttp

from schemas.records.receipt import Receipt, issue_receipt, read_receipt
from tests.cut_log import own_broker
from tests.ingress.real import Running, ingress_process, until_ready
from tests.ingress.stage import fresh_batch, stage
from tests.samples import KEYS
from tests.servers import Servers

LATER_MILLIS = 60_000
# Below the 600 requests that a player may send in a minute, however long the answer is 503.
AGAIN_SECONDS = 0.2


async def state(running: Running, session: aiohttp.ClientSession, receipt: str) -> str:
    async with session.get(f"{running.url}/v1/receipts/{receipt}") as response:
        return str((await response.json()).get("state"))


async def test_a_first_attempt_at_a_used_offset_is_never_told_what_became_of_another(
    servers: Servers, tmp_path: Path
) -> None:
    """Offset 1 was a duplicate. The new batch there is none, and is not counted: 503 until the log is behind it."""
    with own_broker(servers, tmp_path) as broker:
        async with stage(broker.servers, tmp_path) as one, aiohttp.ClientSession() as session:
            with ingress_process(one.ingress) as running:
                await until_ready(running, session)
                topic = one.where.settings.kafka.records_topic
                assert 200 == (await running.post(session, fresh_batch(1)))[0]
                copied = broker.copy(topic)
                _, headers, answer = await running.post(session, fresh_batch(1))
                assert ["ALREADY_UPDATED"] == [failure["failureCause"] for failure in answer["batchFailures"]]
                old = headers["Tallymill-Receipt"]
                assert 200 == (await running.post(session, fresh_batch(1, "8")))[0]

                broker.cut(topic, copied)
                await until_ready(running, session)
                answers: list[tuple[int, list[object] | None]] = [(503, None)]
                while answers[-1][0] == 503:
                    # A client that sends again at once would use up its player's rate (G17).
                    await asyncio.sleep(AGAIN_SECONDS)
                    status, _, answer = await running.post(session, fresh_batch(1, "9"), prefer="respond-async")
                    answers.append((status, answer.get("batchFailures")))
                assert (200, []) == answers[-1]
                assert {(503, None)} == set(answers[:-1])
                async with session.get(f"{running.url}/metrics") as response:
                    assert 'tallymill_ingress_reused_offsets_total{api="games"} 2.0' in await response.text()
                assert 1 == running.log.read_text().count('"log_truncated"'), "told once"

                assert "duplicate" == await state(running, session, old)
                found = read_receipt(old, KEYS)
                assert found.append_millis
                new = Receipt(found.coordinates, found.issued_millis, found.append_millis + LATER_MILLIS)
                assert "pending" == await state(running, session, issue_receipt(new, KEYS))


async def test_an_ingress_that_starts_behind_a_cut_log_never_acknowledges_a_used_offset(
    servers: Servers, tmp_path: Path
) -> None:
    """Not even its first request, which may come before the checkpoints have been read for another reason."""
    with own_broker(servers, tmp_path) as broker:
        async with stage(broker.servers, tmp_path) as one, aiohttp.ClientSession() as session:
            topic = one.where.settings.kafka.records_topic
            with ingress_process(one.ingress) as running:
                await until_ready(running, session)
                copied = broker.copy(topic)
                for number in ("7", "8"):
                    assert 200 == (await running.post(session, fresh_batch(1, number)))[0]
            broker.cut(topic, copied)
            with ingress_process(one.ingress) as running:
                await until_ready(running, session)
                assert 503 == (await running.post(session, fresh_batch(1, "9")))[0]
                assert 503 == (await running.post(session, fresh_batch(1, "9")))[0]
                assert 200 == (await running.post(session, fresh_batch(1, "9"), prefer="respond-async"))[0]
