"""A worker is killed at every step of a flush and of a takeover. Every record counts exactly once.

Real servers, a real process, a real SIGKILL; then another worker continues. docs/delivery.md names these tests.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.consumer.crashes.lines import CommitLine
from tests.consumer.processes import Workers, workers
from tests.consumer.sums import Sent, assert_exact, checkpoints, declare, mixed, send, until_applied
from tests.consumer.waiting import until
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.servers import Servers

# A few records a flush: each crash finds flushes before it, and leaves some for afterwards.
FLUSH_RECORDS = 4


@asynccontextmanager
async def loaded(servers: Servers, folder: Path) -> AsyncIterator[tuple[Place, Workers, list[Sent]]]:
    """Two partitions with every kind of record, and workers to start."""
    async with place(servers, partitions=2, max_flush_records=FLUSH_RECORDS, max_dead_ratio=1) as where:
        await declare(where)
        sent = [*mixed(0, 10, rounds=4), *mixed(1, 1000, rounds=4)]
        await send(where.settings, sent)
        with workers(folder, where.settings) as started:
            yield where, started, sent


async def applied_by_a_worker_like_any_other(where: Place, started: Workers, sent: list[Sent]) -> None:
    """In another group: positions come from the checkpoints, so it need not wait until a session ends."""
    started.start(kafka__group=f"{where.settings.kafka.group}-next")
    await until_applied(where, len(sent))
    await assert_exact(where, sent)


async def swallowed(line: CommitLine, where: Place) -> None:
    """The first commit has gone into the line; MongoDB has done it, if it is one that lands."""
    await asyncio.wait_for(line.swallowed.wait(), PATIENCE_SECONDS)
    if line.lands:
        await until(lambda: _has_moved(where), "the commit landed")
    assert await _has_moved(where) is line.lands


async def _has_moved(where: Place) -> bool:
    return any(found["next"] for found in (await checkpoints(where)).values())


@pytest.mark.parametrize(
    ("point", "nth"),
    [
        ("assigned", 1),
        ("killed", 2),
        ("claimed", 1),
        ("read", 2),
        ("plan", 3),
        ("checkpoint", 2),
        ("write", 1),
        ("commit", 1),
        ("commit", 4),
        ("tell", 1),
    ],
)
async def test_a_crash_at_a_step_counts_everything_once(servers: Servers, tmp_path: Path, point: str, nth: int) -> None:
    """Whatever the step left is taken up by the next worker, or dropped by the server."""
    async with loaded(servers, tmp_path) as (where, started, sent):
        assert await started.start_crashing(point, nth).exited() == -signal.SIGKILL
        claimed = [found for found in (await checkpoints(where)).values() if "owner" in found]
        assert bool(claimed) or point in ("assigned", "killed")
        await applied_by_a_worker_like_any_other(where, started, sent)


@pytest.mark.parametrize("lands", [True, False], ids=["landed", "lost"])
async def test_a_crash_during_the_commit_counts_everything_once(
    servers: Servers, tmp_path: Path, *, lands: bool
) -> None:
    """The worker hears nothing of its commit, which has landed or got lost, and dies."""
    async with loaded(servers, tmp_path) as (where, started, sent):
        async with CommitLine(servers.mongodb, lands=lands) as line:
            dying = started.start(mongodb__uri=line.uri)
            await swallowed(line, where)
            dying.send(signal.SIGKILL)
            assert await dying.exited() == -signal.SIGKILL
        await applied_by_a_worker_like_any_other(where, started, sent)


@pytest.mark.parametrize("lands", [True, False], ids=["landed", "lost"])
async def test_a_worker_that_never_hears_of_its_commit_counts_once(
    servers: Servers, tmp_path: Path, *, lands: bool
) -> None:
    """The connection ends before the answer, and works again later. The worker retries, and sees the checkpoint."""
    async with (
        loaded(servers, tmp_path) as (where, started, sent),
        CommitLine(servers.mongodb, lands=lands) as line,
    ):
        started.start(mongodb__uri=line.uri)
        await swallowed(line, where)
        line.cut_and_mend()
        await until_applied(where, len(sent))
        await assert_exact(where, sent)
