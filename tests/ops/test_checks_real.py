"""The results of `verify` and `doctor` in MongoDB."""

import gc
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from ops import checks
from ops.checks import MAX_DETAIL, keep_check
from ops.doctor.command import doctor
from ops.server_clock import server_now
from ops.verify import command as verify_command
from schemas.documents import CHECKPOINTS, CHECKS
from tests.ops.running import Output, told, use
from tests.real import place, settings_of
from tests.servers import Servers


async def test_the_last_result_of_each_command_is_kept(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """With MongoDB's time, and what is wrong. A second run replaces the first."""
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        assert {} == await where.documents(CHECKS)
        before = await server_now(where.database)
        await told(capsys, 0, verify_command.verify(as_json=True))
        await told(capsys, 0, doctor(as_json=True))
        kept = await where.documents(CHECKS)
        assert {"verify": True, "doctor": True} == {name: one["ok"] for name, one in kept.items()}
        assert all(before <= one["at"] <= before + timedelta(minutes=10) for one in kept.values())
        assert all(one["seconds"] >= 0 for one in kept.values())
        assert kept["verify"]["detail"].startswith("nothing was recounted: the log has no counted record")
        assert " checks, 0 wrong, " in kept["doctor"]["detail"]
        await where.database[CHECKPOINTS].update_one({"_id": "r1/00"}, {"$set": {"fates.applied": 7}})
        await told(capsys, 1, verify_command.verify(as_json=True))
        await where.database["requests"].drop()
        await told(capsys, 1, doctor(as_json=True))
        kept = await where.documents(CHECKS)
    assert {"verify": False, "doctor": False} == {name: one["ok"] for name, one in kept.items()}
    assert "The first: checkpoint r1/00, " in kept["verify"]["detail"]
    assert "index requests.keys_1: missing: " in kept["doctor"]["detail"]


async def test_a_result_that_cannot_be_kept_is_reported_and_changes_nothing(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """A database that init has not seen gets no collection by it: its name may be misspelt."""
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        assert 0 == await doctor(as_json=False)
        report = capsys.readouterr().out
        await where.database[CHECKS].drop()
        assert 0 == await doctor(as_json=False)
        said = capsys.readouterr()
        assert report.splitlines()[:3] == said.out.splitlines()[:3]
        words = f"The result is not kept in MongoDB: collection checks of database {where.database.name} is missing"
        assert said.err.startswith(words)
        assert CHECKS not in await where.database.list_collection_names()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # pymongo's, of a try that close() cuts off
async def test_a_server_that_is_away_costs_a_line(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    """And without a database there is nothing to report."""
    monkeypatch.setattr(checks, "KEEP_MILLIS", 200)
    away = settings_of(Servers(kafka="127.0.0.1:1", mongodb="mongodb://127.0.0.1:1"))
    await keep_check(away, "doctor", ok=True, detail="", seconds=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("The result is not kept in MongoDB: MongoDB: ")
    for uri, lines in ((None, 0), (SecretStr("mongodb://a:1/?w=0"), 1)):
        mongodb = away.mongodb.model_copy(update={"uri": uri})
        await keep_check(away.model_copy(update={"mongodb": mongodb}), "doctor", ok=True, detail="", seconds=1)
        assert lines == len(capsys.readouterr().err.splitlines())
    gc.collect()  # while the warning is expected


async def test_a_detail_is_stored_as_it_is_and_is_short(servers: Servers) -> None:
    """One that begins with `$` is no field of MongoDB's."""
    async with place(servers) as where:
        await keep_check(where.settings, "verify", ok=False, detail="$x" * MAX_DETAIL, seconds=0)
        kept = await where.documents(CHECKS)
    assert ("$x" * MAX_DETAIL)[:MAX_DETAIL] == kept["verify"]["detail"]
