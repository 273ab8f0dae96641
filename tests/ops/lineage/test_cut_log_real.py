"""A log that was cut and written again, and records removed by retention: what operators see, on real servers."""

from pathlib import Path
from typing import Any

import pytest

from ops.doctor.command import doctor
from ops.lineage import command
from ops.lineage.command import StartOptions
from ops.verify import command as verify_command
from schemas.documents import LINEAGES, PLAYERS
from tests.consumer.kafka.test_positions_real import at_work, remove_below
from tests.consumer.sums import checkpoints, counting, send, until_applied
from tests.consumer.waiting import until
from tests.cut_log import own_broker
from tests.ops.running import Output, told, use
from tests.real import Place, place
from tests.servers import Servers

Patch = pytest.MonkeyPatch


def batches(first: int, count: int) -> list[Any]:
    return [counting(0, 1 + number) for number in range(first, first + count)]


async def verified(capsys: Output, expected: int) -> Any:  # noqa: ANN401 a report
    return await told(capsys, expected, verify_command.verify(as_json=True))


async def doctor_says(capsys: Output) -> list[str]:
    """The doctor's first checks: what is lost."""
    found = await told(capsys, 1, doctor(as_json=True))
    assert ("records", "wrong") == (found[0]["what"], found[0]["state"])
    return [check["detail"] for check in found if check["what"] == "records"]


async def first_line(capsys: Output, expected: int) -> str:
    capsys.readouterr()
    assert expected == await verify_command.verify(as_json=False)
    return capsys.readouterr().out.splitlines()[0]


async def test_records_removed_before_they_were_counted_are_told_first_until_they_are_accepted(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """Before and after a new lineage. Accepted losses are still named."""
    async with place(servers, partitions=1) as where:
        use(where.settings, tmp_path, monkeypatch)
        await send(where.settings, batches(0, 10))
        async with at_work(where):
            await until_applied(where, 10)
        await verified(capsys, 0)
        await send(where.settings, batches(10, 10))
        await remove_below(where, 0, 17)
        lost = "partition 0: offsets 10 to 16 were removed from the log before they were counted: up to 7 records"
        assert lost in await first_line(capsys, 1)
        (loss,) = (await verified(capsys, 1))["lost"]
        assert (10, 17, "removed", "r1") == (loss["first"], loss["end"], loss["why"], loss["lineage"])
        assert lost in (await doctor_says(capsys))[0]
        begun = await told(capsys, 0, command.start(StartOptions(None, "end", "gone", yes=True), as_json=True))
        assert "r3" == begun["lineage"]
        told_after = await first_line(capsys, 1)
        assert told_after.startswith("LOST: ")
        assert f"{lost} (given up by lineage r3: gone)" in told_after
        left_out = await verified(capsys, 1)
        assert [(10, 17, "removed"), (17, 20, "left_out")] == [
            (one["first"], one["end"], one["why"]) for one in left_out["lost"]
        ]
        assert 2 == len(await doctor_says(capsys))
        await told(capsys, 2, command.accept_loss("r3", " ", as_json=True))
        await told(capsys, 2, command.accept_loss("r77", "because", as_json=True))
        accepted = await told(capsys, 0, command.accept_loss("r3", "a rehearsal", as_json=True))
        assert 2 == len(accepted["accepted"])
        assert (await first_line(capsys, 0)).startswith("lost, accepted (a rehearsal): ")
        found = await verified(capsys, 0)
        assert ([], 2) == (found["lost"], len(found["lost_accepted"]))
        assert 2 == len((await where.documents(LINEAGES))["r3"]["accepted"])


async def test_a_log_that_was_cut_and_written_anew_is_named_and_counted_from_where_it_was_cut(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """By `lineage`, `verify` and `doctor`; before it has grown beyond the checkpoint and after."""
    with own_broker(servers, tmp_path) as broker:
        async with place(broker.servers, partitions=1) as where:
            use(where.settings, tmp_path, monkeypatch)
            topic = where.settings.kafka.records_topic
            await send(where.settings, batches(0, 5))
            copied = broker.copy(topic)
            await send(where.settings, batches(5, 5))
            async with at_work(where):
                await until_applied(where, 10)
            await verified(capsys, 0)

            broker.cut(topic, copied)
            assert "the log was cut at 5, but offsets below 10 were counted. No record was written" in await lost(
                capsys
            )
            assert "was cut below the checkpoint, at offset 5" in await first_line(capsys, 1)

            await send(where.settings, batches(100, 8))
            assert "Offsets 5 to 9 hold up to 5 records that are not counted" in await lost(capsys)
            (loss,) = (await verified(capsys, 1))["lost"]
            assert (5, 10, "cut") == (loss["first"], loss["end"], loss["why"])
            assert "Offsets 5 to 9 hold up to 5 records that are not counted" in (await doctor_says(capsys))[0]
            async with at_work(where):
                await until(lambda: _stopped(where, "the log was cut and written anew"), "the partition stopped")

            begun = await told(capsys, 0, command.start(StartOptions(None, "5", "unclean", yes=True), as_json=True))
            assert [{"partition": 0, "from": 10, "to": None, "why": "cut"}] == begun["lost"]
            async with at_work(where):
                await until(lambda: _is_counted(where, "r3/00", 8), "what was written anew is counted")
            assert {"LEVEL_UP": 18} == (await where.documents(PLAYERS))["demo/ann"]["totals"]
            assert "Any records from offset 10 on are lost" in await first_line(capsys, 1)
            await told(capsys, 0, command.accept_loss("r3", "a rehearsal", as_json=True))
            assert 0 == (await verified(capsys, 0))["differences"]


async def lost(capsys: Output) -> str:
    """The output of `lineage` about the one partition."""
    shown = await told(capsys, 1, command.show(as_json=True))
    (partition,) = shown[-1]["partitions"] if shown[-1]["_id"] == "r1" else shown[0]["partitions"]
    assert "lost" == partition["state"]
    return str(partition["detail"])


async def _stopped(where: Place, words: str) -> bool:
    return words in (await checkpoints(where))["r1/00"].get("stopped", "")


async def _is_counted(where: Place, key: str, count: int) -> bool:
    return bool((await checkpoints(where))[key]["fates"]["applied"] == count)
