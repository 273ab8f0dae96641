"""`dead-letters` on real servers."""

from pathlib import Path
from typing import Any

import pytest

from ops.dead_letters import command
from ops.dead_letters.command import RedriveOptions
from schemas.documents import DEAD_LETTERS, PLAYERS
from serving.dead_letters.store import Chosen
from tests.consumer.processes import workers
from tests.ops.running import Output, applied, raw, told, until, use
from tests.ops.verify.test_verify_real import sent
from tests.real import Place, place, produce
from tests.servers import Servers

Patch = pytest.MonkeyPatch


async def set_aside(where: Place, identity: str) -> None:
    """A good record among the dead letters, as one is that MongoDB could not hold at its time."""
    good = sent(7, 5)
    await where.database[DEAD_LETTERS].insert_one(
        {
            "_id": identity,
            "key": good.key,
            "value": good.value,
            "headers": [[name, value] for name, value in good.headers],
            "reason": "MongoDB: (too large)",
            "at": (await where.documents(DEAD_LETTERS))["r1/00/0"]["at"],
        }
    )


def redriven(**more: Any) -> RedriveOptions:  # noqa: ANN401 parts of a choice
    again, dry_run, rate = more.pop("again", False), more.pop("dry_run", False), more.pop("rate", None)
    return RedriveOptions(Chosen(**more, again=again), dry_run=dry_run, rate=rate)


async def test_dead_letters_are_listed_shown_and_redriven_once(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """A record counts once, however often it is redriven. Garbage becomes a new dead letter. Dry runs do nothing."""
    async with place(servers, partitions=1) as where:
        use(where.settings, tmp_path, monkeypatch)
        await produce(where.settings, 0, raw(b"\xff\x00"), raw(b"{}", None))
        with workers(tmp_path, where.settings) as started:
            started.start()
            await until(where, applied(r1_00=2))
            await set_aside(where, "r1/00/900")

            listed = await told(capsys, 0, command.show_list(Chosen(), as_json=True))
            assert {"r1/00/0", "r1/00/1", "r1/00/900"} == {one["id"] for one in listed}
            listed = await told(capsys, 0, command.show_list(Chosen(reason="TOO LARGE"), as_json=True))
            assert ["r1/00/900"] == [one["id"] for one in listed]
            shown = await told(capsys, 0, command.show_one("r1/00/0", as_json=True))
            assert ("hex:ff00", "demo/raw", []) == (shown["value"], shown["key"], shown["headers"])
            assert "no dead letter r1/00/5" in await told(capsys, 2, command.show_one("r1/00/5", as_json=True))

            async def redrive(expected: int, **more: Any) -> Any:  # noqa: ANN401 JSON
                return await told(capsys, expected, command.redrive_some(redriven(**more), as_json=True))

            found = await redrive(0, reason="(too large)", dry_run=True)
            assert (["r1/00/900"], 0) == (found["ids"], found["redriven"])
            assert 1 == (await redrive(0, reason="(too large)"))["redriven"]
            await until(where, applied(r1_00=3))
            assert 0 == (await redrive(0, reason="(too large)"))["redriven"]
            assert "--again" in await redrive(2, identities=("r1/00/900",))
            assert 1 == (await redrive(0, identities=("r1/00/900",), again=True))["redriven"]
            found = await until(where, applied(r1_00=4))
            assert {"applied": 1, "duplicate": 1, "refused": 0, "dead": 2} == found["r1/00"]["fates"]
            assert {"LEVEL_UP": 5} == (await where.documents(PLAYERS))["demo/ann"]["totals"]

            assert 2 == (await redrive(0, rate=50, limit=10))["redriven"]
            await until(where, applied(r1_00=6))
            letters = await where.documents(DEAD_LETTERS)
            assert (5, 3) == (len(letters), sum("redriven" in one for one in letters.values()))


async def test_a_letter_of_no_known_lineage_is_not_redriven_and_told(
    servers: Servers, tmp_path: Path, monkeypatch: Patch, capsys: Output
) -> None:
    """Its topic is unknown: exit status 1. Letters redriven before it stay marked."""
    async with place(servers, partitions=1) as where:
        use(where.settings, tmp_path, monkeypatch)
        letter: dict[str, Any] = {"key": None, "value": b"x", "headers": [], "reason": "r"}
        for n, identity in enumerate(("r1/00/0", "r9/00/0")):
            at = (await where.database.client.admin.command("hello"))["localTime"]
            await where.database[DEAD_LETTERS].insert_one({"_id": identity, **letter, "at": at, "n": n})
        found = await told(capsys, 1, command.redrive_some(redriven(), as_json=True))
        assert (2, 1) == (found["chosen"], found["redriven"])
        assert "dead letter r9/00/0: " in found["problem"]
        assert "the topic of its lineage r9 is unknown" in found["problem"]
        assert ["r1/00/0"] == [key for key, one in (await where.documents(DEAD_LETTERS)).items() if "redriven" in one]
