"""Hostile bodies on real servers: an ingress and a worker process, and then a recount."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from consumer.core.records import Record
from ops.definitions.changes import changes
from ops.verify import command
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, PLAYERS, utc
from schemas.games.judging import LAST_MILLIS
from schemas.wire.depth import MAX_DEPTH
from schemas.wire.int64 import INT64_MAX
from tests.consumer.processes import WorkerProcess, workers
from tests.declared import stand_since
from tests.ingress.real import Running, config, ingress_process, now_millis, until_ready
from tests.ops.definitions.test_command import file_of
from tests.ops.running import Output, applied, raw, told, until, use
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place, produce
from tests.samples import HOUR, MINUTE, batch, period, update
from tests.servers import Servers

# The setting of an operator who wants no limit: longer than any date.
FOREVER = 1e15
NO_LIMITS = dict.fromkeys(("max_period_age_seconds", "max_period_seconds", "clock_skew_tolerance_seconds"), FOREVER)


def good(request_id: int, **more: object) -> bytes:
    start = now_millis() - HOUR
    return batch(period(update(), start=start, end=start + MINUTE), request_id=str(request_id), **more)


def with_kind(request_id: int, kind: str, last: str = '"x"') -> bytes:
    """A good batch with an ignored field; of the two values the last counts."""
    return good(request_id).replace(b"{", f'{{"kind":{kind},"kind":{last},'.encode(), 1)


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def counted() -> list[bytes]:
    """All are good batches, and each adds one."""
    return [
        good(INT64_MAX),
        good(-(2**63)),
        good(1, currentTimeMillis=None, kind=None),
        with_kind(2, nested(MAX_DEPTH - 1)),
        with_kind(3, "9" * 5_000),
        with_kind(4, "1e400"),
        with_kind(5, f"[{','.join(['[]'] * 200_000)}]"),
        good(6)
        .replace(b'"LEVEL_UP"', b'"wrong","definitionId":"LEVEL\\u005fUP"')
        .replace(b'"1"', b'0.5,"updateCount":1'),
    ]


def malformed() -> list[bytes]:
    """None is a batch: 400."""
    pad = "x" * 70_000
    return [
        *(with_kind(10, nested(levels)) for levels in (MAX_DEPTH, 966, 968, 975, 986, 5_000)),
        *(with_kind(11, nested(levels), json.dumps(pad)) for levels in (966, 968, 975, 986)),
        with_kind(12, '{"e":"\\ud83d\\ude00","a":' + nested(966) + "}"),
        with_kind(13, "NaN"),
        with_kind(14, '"\\ud800"'),
        good(15).replace(b'"1"', b"1.0", 1),
        b'{"requestId":"16","timePeriods":[%b]}' % b",".join([b"[]"] * 340_000),
    ]


def out_of_time() -> list[bytes]:
    """Well-formed, with periods that no date can tell: 200, and not published."""
    starts = (-(2**63), -(10**14), -1, LAST_MILLIS, 10**15, INT64_MAX - MINUTE)
    return [
        batch(period(update(), start=start, end=start + MINUTE), request_id=str(20 + n))
        for n, start in enumerate(starts)
    ]


@asynccontextmanager
async def system(
    servers: Servers, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Place, Running, WorkerProcess, aiohttp.ClientSession]]:
    async with place(servers, max_dead_ratio=1) as where, aiohttp.ClientSession() as session:
        name = where.settings.kafka.records_topic
        use(where.settings, folder, monkeypatch, **NO_LIMITS)
        await stand_since(where.database, changes(file_of("LEVEL_UP"), {}, utc(now_millis() - 2 * HOUR)))
        file = config(folder, servers.kafka, servers.mongodb, name, apply_timeout_seconds=PATIENCE_SECONDS)
        file.write_text(json.dumps(json.loads(file.read_text()) | {"limits": NO_LIMITS}))
        with workers(folder, where.settings) as started, ingress_process(file) as running:
            worker = started.start(**{f"limits__{limit}": seconds for limit, seconds in NO_LIMITS.items()})
            await until_ready(running, session)
            yield where, running, worker, session


async def test_no_body_stops_the_worker_and_a_recount_finds_no_difference(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Bodies answered 200 are counted, the rest refused. The same bodies sent straight to Kafka are counted or dead."""
    async with system(servers, tmp_path, monkeypatch) as (where, running, worker, session):

        async def posted(body: bytes) -> tuple[int, Any]:
            status, _, answer = await running.post(session, body)
            return status, answer

        for body in malformed():
            status, answer = await posted(body)
            assert (400, "INVALID_ARGUMENT") == (status, answer["error"]["status"]), body[:100]
        for body in out_of_time():
            status, answer = await posted(body)
            assert (200, 1, []) == (status, len(answer["batchFailures"]), answer["playerEvents"])
        for number, body in enumerate(counted(), 1):
            status, answer = await posted(body)
            assert 200 == status, answer
            assert str(number) == answer["playerEvents"][0]["numEvents"]
        await produce(where.settings, 1, *all_as_records())
        await until(where, applied(r1_01=len(all_as_records())))
        assert worker.child.exit_status() is None
        await assert_counted(where)
        assert not (await told(capsys, 0, command.verify(as_json=True)))["differences"]


def all_as_records() -> list[Record]:
    """As a pipeline would write them that produces by itself."""
    return [raw(body) for body in (*counted(), *malformed(), *out_of_time())]


async def assert_counted(where: Place) -> None:
    players = await where.documents(PLAYERS)
    assert [len(counted())] * 2 == [players[f"demo/{name}"]["totals"]["LEVEL_UP"] for name in ("ann", "raw")]
    fates = (await where.documents(CHECKPOINTS))["r1/01"]["fates"]
    expected = {"applied": len(counted()), "dead": len(malformed()), "refused": len(out_of_time()), "duplicate": 0}
    assert expected == fates
    assert all(len(letter["reason"]) <= 200 for letter in (await where.documents(DEAD_LETTERS)).values())
