"""The commands of docs/scaling.md that take longer than those of its procedures, as they stand."""

import asyncio
import json
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from ops.local.servers.processes import Children
from schemas.documents import LINEAGES
from tests.conftest import REPORT
from tests.faults.cluster.stage.system import ROOT, System, settings_of
from tests.growing.stage import on_stage
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers
from tests.test_scaling_page import PAGE, commands

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(1_800)]

TEN_MINUTES = 600.0

Note = Callable[[str, object], None]


@pytest.mark.parametrize("line", commands("python"))
async def test_a_program_of_the_page_measures(line: str, record_property: Note) -> None:
    """It starts servers of its own, and prints its figures."""
    _, *words = shlex.split(line)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), TEN_MINUTES)
    record_property(REPORT, out.decode())
    assert 0 == process.returncode


async def test_the_load_of_the_page_comes_out_right(servers: Servers, tmp_path: Path, record_property: Note) -> None:
    """As after sharding: the load, then a recount."""
    (load,) = set(re.findall(r"`tallymill (load [^`]+)`", PAGE))
    async with on_stage(servers, tmp_path / "system", workers=2, partitions=6, drain=0) as stage:
        await stage.load.finish(PATIENCE_SECONDS)
        url = stage.system.ingresses[0].url
        shutil.copy(stage.system.folder / "issuer.jwk", stage.system.folder / "data")  # commands sign tokens by it
        for command in (f"{' '.join(load.split())} --url {url}", "verify"):
            ran = await stage.system.run(*shlex.split(command))
            record_property(REPORT, f"{command}\n{ran.out}{ran.err}")
            assert 0 == ran.status, ran.out + ran.err


@pytest.mark.parametrize("partitions", [200, 1_000])
async def test_init_waits_until_so_many_partitions_are_there(
    servers: Servers, tmp_path: Path, record_property: Note, partitions: int
) -> None:
    """It ends well the first time, finds all there the second time, and adds a hundred."""
    (tmp_path / "data").mkdir()
    settings = settings_of(servers.kafka, servers.mongodb, tmp_path)
    settings |= {"kafka.partitions": str(partitions), "kafka.replication_factor": "1"}
    with Children(tmp_path / "logs") as children:
        system = System(children, tmp_path, settings)
    wanted = {"": {"made": partitions}, "again": {"there": partitions}}
    for name, states in wanted.items():
        began = time.monotonic()
        ran = await system.run("init", "--json")
        record_property(REPORT, f"init {name} with {partitions} partitions: {time.monotonic() - began:.1f} s")
        assert 0 == ran.status, ran.out + ran.err
        found = {one["state"] for one in json.loads(ran.out) if one["what"] in {f"topic {t}" for t in system.topics}}
        assert states.keys() <= found
    ran = await system.run("init", "--partitions", str(partitions + 100))
    assert 0 == ran.status, ran.out + ran.err
    assert 2 == ran.out.count(f"partitions added: {partitions + 100}, were {partitions}")
    async with AsyncMongoClient[dict[str, Any]](servers.mongodb) as client:
        assert 2 == await client[system.database][LINEAGES].count_documents({})
        await client.drop_database(system.database)
