"""Bodies that stopped every worker, on real servers: each has its answer, no process ends, and good events count."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.verify import command
from schemas.analytics.body import JSON_TYPE, parse_analytics, read_sent
from schemas.analytics.stored import MAX_STORED_BYTES, stored_bytes
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, EVENTS
from tests.bodies.pools import nested
from tests.consumer.core.analytics.test_stored import LARGE
from tests.consumer.processes import workers
from tests.ingress.real import Running, config, fresh_token, ingress_process, now_millis, until_ready
from tests.ops.running import Output, told, use
from tests.patience import PATIENCE_SECONDS
from tests.real import place
from tests.samples import HOUR, item, pool
from tests.servers import Servers

PAIR = '{"e":"\\ud83d\\ude00","a":'


def media(levels: int) -> str:
    return base64.b64encode(f"{PAIR}{nested(levels)}}}".encode()).decode()


def beside(at: str, **more: object) -> bytes:
    """A good event and one at this time, by place so that both are new each time."""
    return pool({"Timestamp": at, "Event": "Odd"}, item("Good", now_millis()), requestId=f"odd {at}", **more)


def with_envelope(levels: int) -> bytes:
    """Larger than is read on the loop."""
    body = pool(item("Good", now_millis(), text="y" * 70_000), unknown="here")
    return body.replace(b'"here"', nested(levels).encode())


def largest() -> bytes:
    """Nearly as much as may be stored, in as many documents as possible: each event in another hour."""
    title = base64.b64encode(json.dumps({"title": "x" * 1_225}).encode()).decode()
    now = now_millis()
    events = [item(f"T{n % 900}", now - n % 9_000 * HOUR, n=n) for n in range(10_000)]
    body = pool(*events, mediaInfo=title)
    size = stored_bytes(parse_analytics(read_sent(body, JSON_TYPE)), "demo", "ann", None)
    assert 0.97 * MAX_STORED_BYTES < size <= MAX_STORED_BYTES, size / MAX_STORED_BYTES
    return body


def bodies() -> list[tuple[bytes, int]]:
    """Each with its HTTP status."""
    marks = json.dumps({"Timestamp": 1, "Event": "a" + "\u0300\u0316" * 150_000}, ensure_ascii=False)
    return [
        *[(pool(item("Good", now_millis(), n=n), mediaInfo=media(n)), 200) for n in (31, 32, 900, 966, 975, 986)],
        *[(with_envelope(n), 400) for n in (64, 968, 975, 986)],
        (with_envelope(63), 200),
        (b'{"eventData":"[' + nested(965).encode() + b']"}', 400),
        *[(beside(at), 400) for at in ("9999-12-31T23:59:59.9999999-08:00", "9999-12-31T23:59:59.9999Z")],
        *[(beside(at), 400) for at in ("20260921141320", "20260920")],
        *[(beside(at), 200) for at in ("9999-12-31T23:59:59.999Z", "2016-12-31T23:59:60Z", "2026-09-21t14:13:20z")],
        (largest(), 200),
        (LARGE, 413),
        (b'{"x":[' + b"[]," * 2_700_000 + b"[]]}", 413),
        (f'{{"eventData":[{marks}]}}'.encode(), 400),
        (b"{" + b'"Token":1,' * 100_000 + b'"eventData":[]}', 400),
    ]


async def add(running: Running, session: aiohttp.ClientSession, body: bytes, query: str) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {fresh_token()}", "content-encoding": "gzip", "content-type": "text/plain"}
    url = f"{running.url}/AddEventBatch{query}"
    async with session.post(url, data=gzip.compress(body, 1), headers=headers) as answer:
        return answer.status, await answer.json()


async def test_b9_b10_no_body_stops_a_worker_and_what_is_accepted_is_registered(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Depth, times, size, marks, tokens; with partial=true too. One worker throughout; verify: no difference."""
    async with place(servers, apis=["games", "analytics"]) as where, aiohttp.ClientSession() as session:
        use(where.settings, tmp_path, monkeypatch)
        name = where.settings.kafka.records_topic
        file = config(tmp_path, servers.kafka, servers.mongodb, name, apply_timeout_seconds=PATIENCE_SECONDS)
        with workers(tmp_path, where.settings) as started, ingress_process(file) as running:
            worker = started.start()
            await until_ready(running, session)
            sent = bodies()
            for body, status in sent:
                answer = await add(running, session, body, "")
                assert (status, status == 200) == (answer[0], answer[1]["Content"]), (body[:100], answer)
            for body, status in sent:
                # The good events beside one that is not are registered; a body that is bad as a whole is bad.
                got, answer = await add(running, session, body, "?partial=true")
                assert got == status or (got == 200 and answer["Severity"] == 2), (body[:100], answer)
            assert None is worker.child.exit_status()
            assert None is running.process.poll()
        checkpoints = (await where.documents(CHECKPOINTS)).values()
        assert {0} == {one["fates"]["dead"] + one["fates"]["refused"] for one in checkpoints}
        assert not any("stopped" in one for one in checkpoints)
        assert {} == await where.documents(DEAD_LETTERS)
        events = (await where.documents(EVENTS)).values()
        assert 5 == sum("mediaRaw" in one for one in events)
        assert 10 + 4 == sum(one["event"] == "Good" for one in events)
        found = await told(capsys, 0, command.verify(as_json=True))
        assert (0, True) == (found["differences"], found["whole"])
