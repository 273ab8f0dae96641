"""Records that no decoder expects, on a real broker: they are dead, and nothing else is any the worse."""

import os
from pathlib import Path

import pytest

from consumer.core.records import Record
from ops.verify import command
from schemas.documents import DEAD_LETTERS
from tests.consumer.processes import workers
from tests.consumer.sums import Sent, assert_exact, counting, declare, send
from tests.consumer.test_process import get, until_it_says
from tests.consumer.wire import GZIP, LZ4, ZSTD, Wire, batch_bytes, packed, produce_batch, record_bytes, with_payload
from tests.ops.running import Output, told, until, use
from tests.real import Place, place
from tests.servers import Servers

NO_UTF_8 = b"\xff\xfe"
ZEROS = bytes(60_000_000)
WORKER_BYTES = 512 * 1024 * 1024
"""Of a worker process at its largest: it holds one unpacked batch (32 MiB) beside what it always does."""


def wire_of(sent: Sent, *more: tuple[bytes, bytes | None]) -> Wire:
    record = sent.record
    return Wire(record.key, record.value, [*((name.encode(), value) for name, value in record.headers), *more])


def without(sent: Sent, *names: str) -> Wire:
    """Some of its headers are null."""
    return Wire(
        sent.record.key,
        sent.record.value,
        [(header.encode(), None if header in names else value) for header, value in sent.record.headers],
    )


def dead(partition: int = 0) -> Sent:
    return Sent(partition, Record(0, 0, None, b"", []), "dead")


async def produce(where: Place, *batches: bytes, partition: int = 0) -> None:
    kafka = where.settings.kafka
    for one in batches:
        assert "" == await produce_batch(kafka.bootstrap_servers or "", kafka.records_topic, partition, one)


def peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


async def hostile(where: Place) -> list[Sent]:
    """Into partition 0, with good records in front of, between and behind them; what must come of each."""
    good = [counting(0, number) for number in range(10, 18)]
    odd = [wire_of(good[1], (NO_UTF_8, b"v")), without(good[2], "content-type"), without(good[3], "judged", "ce_time")]
    await produce(where, batch_bytes([wire_of(good[0]), *odd]), batch_bytes([wire_of(good[4], (NO_UTF_8, None))], ZSTD))
    out_of_order = [wire_of(good[5]), Wire(b"demo/ann", b"x", delta=1_000), wire_of(good[6])]
    large = [batch_bytes([Wire(b"demo/ann", ZEROS)], codec) for codec in (ZSTD, GZIP, LZ4)]
    await produce(where, batch_bytes(out_of_order), *large)
    await produce(where, with_payload(packed(LZ4, record_bytes(Wire(b"demo/ann", b"x"), 0)) + b"junk", 1, LZ4))
    await produce(where, batch_bytes([Wire(b"demo/ann", b"x", [(b"", None)] * 300_000)], ZSTD))
    await produce(where, batch_bytes([wire_of(good[7])]))
    return [*good, *(dead() for _ in range(6))]


@pytest.mark.real
async def test_hostile_records_are_dead_letters_and_the_worker_goes_on(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """One process all along; both partitions counted to the end; a recount finds no difference."""
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        await declare(where)
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            other = [counting(1, number) for number in range(30, 35)]
            sent = await hostile(where) + other
            await send(where.settings, other)
            await until(where, lambda found: sum(one["next"] for one in found.values()) == len(sent))
            await until_it_says(worker.port, "/metrics", 'lag_records{api="games",partition="0"} 0.0')
            assert (await get(worker.port, "/livez"))[0] == 200
            os.kill(worker.child.pid, 0)
            assert worker.child.exit_status() is None
            assert peak_bytes(worker.child.pid) < WORKER_BYTES
        await assert_exact(where, sent)
        report = await told(capsys, 0, command.verify(as_json=True))
        assert 0 == report["differences"]
        letters = await where.documents(DEAD_LETTERS)
        assert all(len(letter["value"]) <= 64 * 1024 for letter in letters.values())
