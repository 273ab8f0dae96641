"""`tallymill titles` on real servers: junk titles come by HTTP, an operator frees them, and verify agrees all along."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.titles import command as titles
from ops.titles import store
from ops.titles.command import FreeOptions
from ops.titles.store import Chosen
from ops.verify import command as verify
from schemas.documents import EVENTS, PERIOD_COUNTS, TITLES
from schemas.settings import Limits
from tests.ingress.analytics.test_record_real import OK, add, system
from tests.ingress.real import Running, now_millis
from tests.ingress.rig import token
from tests.ops.running import Output, told, use
from tests.real import Place
from tests.samples import item
from tests.servers import Servers

pytestmark = pytest.mark.real


async def send(running: Running, session: aiohttp.ClientSession, claims: dict[str, Any], *names: str) -> None:
    """A pool of these titles."""
    events = [item(name, now_millis(), n=n) for n, name in enumerate(names)]
    body = {"Token": token(exp=now_millis() // 1000 + 3600, **claims), "eventData": events}
    async with session.post(f"{running.url}/AddEventBatch", data=json.dumps(body).encode()) as answer:
        assert (200, OK) == (answer.status, await answer.json())


async def counted(where: Place, title: str) -> int:
    return sum([one["count"] async for one in where.database[PERIOD_COUNTS].find({"event": title})])


async def test_junk_titles_leave_room_for_real_ones_and_an_operator_frees_them(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """A thousand of an anonymous actor, a thousand of one player: the next real title counts by its name."""
    async with system(servers, tmp_path) as (where, running, session):
        use(where.settings, tmp_path, monkeypatch)
        limits = Limits()
        await send(running, session, {"anonymous": True, "sub": "x"}, *(f"[b]:bug:{n}" for n in range(1000)))
        await send(running, session, {"sub": "ann"}, *(f"junk {n}" for n in range(1000)))
        await send(running, session, {"sub": "bob"}, "View", "[b]:bug:7")
        assert (1, 1800) == (await counted(where, "View"), await counted(where, "(other)"))
        assert {"_id": "demo", "count": limits.max_titles_per_player + 2, "anonymous": 99} == (
            await where.documents(TITLES)
        )["demo"]
        await told(capsys, 0, verify.verify(as_json=True))

        listed = await told(capsys, 0, titles.show_list("demo", 24, as_json=True))
        assert {"registered": 99, "max": limits.max_anonymous_titles} == listed["anonymous"]
        found = {one["title"]: one for one in listed["titles"]}
        assert ("bob", False, 2) == tuple(found["[b]:bug:7"][name] for name in ("by", "anonymous", "counted"))
        assert 0 == await titles.show_list("demo", 24, as_json=False)
        assert "[b]:bug:7" in capsys.readouterr().out

        wrong = FreeOptions(Chosen("demo", ("Viewx", "View")), dry_run=False)
        assert "Did you mean View?" in await told(capsys, 2, titles.free_some(wrong, as_json=True))
        dry = FreeOptions(Chosen("demo", anonymous=True), dry_run=True)
        assert 99 == len((await told(capsys, 0, titles.free_some(dry, as_json=True)))["freed"])
        for chosen, number in ((Chosen("demo", anonymous=True), 99), (Chosen("demo", player="ann"), 100)):
            freed = await told(capsys, 0, titles.free_some(FreeOptions(chosen, dry_run=False), as_json=True))
            assert number == len(freed["freed"])
        assert {"_id": "demo", "count": 2, "anonymous": 0} == (await where.documents(TITLES))["demo"]
        await told(capsys, 0, verify.verify(as_json=True))

        await send(running, session, {"sub": "ann"}, "Play", "Pause")
        await send(running, session, {"anonymous": True, "sub": "y"}, "Start", "junk 5")
        assert [1, 1, 1, 2] == [await counted(where, title) for title in ("Play", "Pause", "Start", "junk 5")]
        await told(capsys, 0, verify.verify(as_json=True))

        monkeypatch.setattr(store, "FREED_AFTER_SECONDS", 0)
        await told(capsys, 0, titles.free_some(FreeOptions(Chosen("demo", ("Play",)), dry_run=False), as_json=True))
        await send(running, session, {"sub": "cid"}, "Play", "Stop")
        again = (await where.documents(TITLES))["demo/Play"]
        assert ("demo/cid", ["demo/ann"]) == (again["by"], [one["by"] for one in again["earlier"]])
        assert 0 == (await told(capsys, 0, verify.verify(as_json=True)))["differences"]


async def test_a_title_is_freed_while_workers_register_and_both_stand(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Both change the app's numbers: the second one retries."""
    async with system(servers, tmp_path) as (where, running, session):
        use(where.settings, tmp_path, monkeypatch)
        await send(running, session, {"sub": "ann"}, *(f"T{n}" for n in range(50)))

        async def sending() -> None:
            for n in range(20):
                await send(running, session, {"sub": f"p{n % 4}"}, f"N{n}", f"T{n}")

        async def freeing() -> None:
            for n in range(20):
                wanted = FreeOptions(Chosen("demo", (f"T{n}",)), dry_run=False)
                assert 0 == await titles.free_some(wanted, as_json=True)

        await asyncio.gather(sending(), freeing())
        assert {"_id": "demo", "count": 50, "anonymous": 0} == (await where.documents(TITLES))["demo"]
        await told(capsys, 0, verify.verify(as_json=True))


async def test_a11_another_event_under_a_used_key_is_answered_422(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Not 200 with Content true: it is not registered. The receipt and verify agree."""
    async with system(servers, tmp_path) as (where, running, session):
        use(where.settings, tmp_path, monkeypatch)
        at = now_millis()
        first, other = item("A", at), item("B", at)
        assert 200 == (await add(running, session, {"requestId": "k", "eventData": [first]}))[0]
        assert 200 == (await add(running, session, {"requestId": "k", "eventData": [first]}))[0]
        status, answer, headers = await add(running, session, {"requestId": "k", "eventData": [other, other]})
        assert (422, 2, 3, False) == (status, answer["StatusCode"], answer["Severity"], answer["Content"])
        assert "requestId: was used before with other events: eventData[0]; " in answer["StatusMessage"]
        async with session.get(f"{running.url}/v1/receipts/{headers['Tallymill-Receipt']}") as receipt:
            said = await receipt.json()
        assert ("applied", "PAYLOAD_DIFFERS") == (said["state"], said["cause"])
        assert ["A", "B"] == sorted(one["event"] for one in (await where.documents(EVENTS)).values())
        await told(capsys, 0, verify.verify(as_json=True))
