"""A place on real servers with commands and workers at work in it."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from consumer.core.records import Record
from ops.config import FILE_VARIABLE, Settings
from ops.local.settings import to_toml
from schemas.documents import CHECKPOINTS
from tests.patience import PATIENCE_SECONDS
from tests.real import Place
from tests.samples import KEYS

Output = pytest.CaptureFixture[str]


def use(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, **limits: object) -> None:
    """Commands run in this process find this place."""
    kafka = settings.kafka.model_dump(
        include={"bootstrap_servers", "records_topic", "analytics_topic", "group", "partitions"}
    )
    uri = settings.mongodb.uri.get_secret_value() if settings.mongodb.uri else ""
    tables = {
        "kafka": kafka,
        "mongodb": {"uri": uri, "database": settings.mongodb.database},
        "signing": {"keys": [KEYS.keys[0].decode()]},
        "limits": limits,
    }
    (folder / "settings.toml").write_text(to_toml(tables))
    monkeypatch.setenv(FILE_VARIABLE, str(folder / "settings.toml"))


async def told(capsys: Output, expected: int, command: Awaitable[int]) -> Any:  # noqa: ANN401 a command's JSON
    """What a command prints; its exit status must be the expected one."""
    capsys.readouterr()
    status = await command
    said = capsys.readouterr()
    assert expected == status, said.err + said.out
    # A worker of the same test may write a line of its log meanwhile.
    printed = "".join(line for line in said.out.splitlines(keepends=True) if not _is_logged(line))
    return json.loads(printed) if printed else said.err


_is_logged = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[").match


async def until(where: Place, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until the checkpoints are so."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition(found := await where.documents(CHECKPOINTS)):
        assert time.monotonic() < give_up, found
        await asyncio.sleep(0.05)
    return found


def applied(**records: int) -> Callable[[dict[str, Any]], bool]:
    """So many records by checkpoint, with '_' for '/': r1_00=3. Offsets don't tell: control records are late."""
    wanted = {name.replace("_", "/"): count for name, count in records.items()}
    return lambda found: all(key in found and sum(found[key]["fates"].values()) >= n for key, n in wanted.items())


def raw(body: bytes, key: bytes | None = b"demo/raw") -> Record:
    """A record that no ingress has seen."""
    return Record(0, 0, key, body, ())
