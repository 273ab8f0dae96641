"""A system for real clients: an ingress and a worker process on real servers, in a place of their own."""

import asyncio
import http.client
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern

from bench.place import texts_of
from ops.config import FILE_VARIABLE, Settings
from ops.connect import database
from ops.definitions.changes import DefinitionsFile, apply_changes, changes
from ops.init.command import initialise, wrong
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Child, Children, Program, wait_until
from ops.local.settings import to_toml
from ops.tokens.issuer import ensure_issuer
from ops.tokens.token import make_token
from schemas.documents import CHECKPOINTS, EVENTS, PLAYERS, REQUESTS, request_key
from schemas.games.scopes import GAMES_SCOPE
from schemas.request_ids import lookup, unpacked
from tests.patience import PATIENCE_SECONDS
from tests.real import settings_of
from tests.samples import KEYS
from tests.servers import Servers

ROOT = Path(__file__).parent.parent.parent

APP = "arcade"
# So few that a client must split its batches by `GET /v1/limits`.
MAX_UPDATES = 5
DEFINITIONS = DefinitionsFile.model_validate(
    {
        "app": APP,
        "definitions": [
            {"id": "COIN_FOUND", "names": {"en": "Coin found", "de": "Münze gefunden"}},
            {"id": "ENEMY_DEFEATED", "names": {"en": "Enemy defeated"}, "image_url": "https://img.example/enemy.png"},
            {
                "id": "LEVEL_UP",
                "names": {"en": "Level up", "pt-BR": "Subiu de nível"},
                "descriptions": {"en": "A player reached the next level"},
                "children": ["COIN_FOUND", "ENEMY_DEFEATED"],
            },
            {"id": "ROUND_WON", "names": {"en": "Round won"}},
            {"id": "SECRET_FOUND", "names": {"en": "Secret found"}, "visibility": "HIDDEN"},
        ],
    }
)


@dataclass(frozen=True, slots=True)
class System:
    """The address of its ingress, tokens for it, and its counts."""

    url: str
    settings: Settings
    worker: Child

    def token(self, player: str, *scopes: str, seconds: int = 3_600) -> str:
        return make_token(self.settings, APP, player, scopes or (GAMES_SCOPE,), seconds=seconds)

    def totals(self, player: str) -> dict[str, int]:
        """What MongoDB's majority has of a player."""
        found = self._find(PLAYERS, {"_id": f"{APP}/{player}"})
        return {event: int(count) for event, count in found["totals"].items()} if found else {}

    def events(self, actor: str) -> list[dict[str, Any]]:
        """The documents of an actor's analytics events."""
        uri = self.settings.mongodb.uri
        with MongoClient[dict[str, Any]](uri.get_secret_value() if uri else "") as client:
            where = client[self.settings.mongodb.database]
            events = where.get_collection(EVENTS, read_concern=ReadConcern("majority"))
            return list(events.find({"app": APP, "actor": actor}))

    def counted(self, player: str, request_id: int) -> bool:
        """Whether the worker has seen this request."""
        key = request_key(APP, player, request_id)
        found = self._find(REQUESTS, lookup([key]))
        return found is not None and any(unpacked(found, {key}))

    def passed(self, partition: int, offset: int) -> bool:
        """Whether the worker has applied the record there."""
        found = self._find(CHECKPOINTS, {"_id": f"r1/{partition:02}"})
        return bool(found and found["next"] > offset)

    def _find(self, collection: str, query: dict[str, Any]) -> dict[str, Any] | None:
        uri = self.settings.mongodb.uri
        with MongoClient[dict[str, Any]](uri.get_secret_value() if uri else "") as client:
            where = client[self.settings.mongodb.database]
            return where.get_collection(collection, read_concern=ReadConcern("majority")).find_one(query)


def until(holds: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > give_up:
            pytest.fail(f"not within {PATIENCE_SECONDS:g} s: {what}")
        time.sleep(0.02)


@contextmanager
def system(servers: Servers, folder: Path) -> Iterator[System]:
    """One ingress and one worker, ready."""
    settings = _settings(servers, folder)
    assert not wrong(asyncio.run(initialise(settings)))
    asyncio.run(_declare(settings))
    with Children(folder / "logs") as children:
        metrics_port = any_free()
        worker = children.start(process("worker", settings, folder, worker={"metrics_port": metrics_port}))
        url = start_ingress(children, settings, folder)
        at_work = f"http://{LOOPBACK}:{metrics_port}"
        wait_until(lambda: _is_ready(at_work), worker, "the worker", seconds=PATIENCE_SECONDS)
        wait_until(lambda: _is_ready(url), None, "the ingress", seconds=PATIENCE_SECONDS)
        yield System(url, settings, worker)


def start_ingress(children: Children, settings: Settings, folder: Path, **changed: Mapping[str, object]) -> str:
    """An ingress that listens, ready or not; `changed` are settings by section. Its address."""
    port = any_free()
    own = {"apply_timeout_seconds": PATIENCE_SECONDS, "port": port}
    changed = {**changed, "ingress": own | dict(changed.get("ingress", {}))}
    ingress = children.start(process("ingress", settings, folder, **changed))
    url = f"http://{LOOPBACK}:{port}"
    wait_until(lambda: _status(url, "/livez") == http.client.OK, ingress, "the ingress", seconds=PATIENCE_SECONDS)
    return url


def process(name: str, settings: Settings, folder: Path, **changed: Mapping[str, object]) -> Program:
    """`tallymill NAME` with these settings in a file."""
    own = settings.mongodb.uri.get_secret_value() if settings.mongodb.uri else ""
    names = {"bootstrap_servers", "records_topic", "analytics_topic", "group", "partitions"}
    kafka = settings.kafka.model_dump(include=names)
    tables = {
        "kafka": kafka,
        "mongodb": {"uri": own, "database": settings.mongodb.database},
        "limits": {"max_updates_per_request": MAX_UPDATES},
        "signing": {"keys": [KEYS.keys[0].decode()]},
        "tokens": texts_of(settings.tokens.model_dump()),
        "worker": {"session_timeout_seconds": 6},
    }
    tables |= {section: {**tables.get(section, {}), **table} for section, table in changed.items()}
    file = folder / f"{name}-{any_free()}.toml"
    file.write_text(to_toml(tables))
    environ = {FILE_VARIABLE: str(file), "PYTHONPATH": str(ROOT)}
    return Program(file.stem, (sys.executable, "-m", "ops", name), environ, stop_seconds=5)


def _settings(servers: Servers, folder: Path) -> Settings:
    own = settings_of(servers)
    tokens = type(own.tokens).model_validate(ensure_issuer(folder))
    limits = own.limits.model_copy(update={"max_updates_per_request": MAX_UPDATES})
    return own.model_copy(update={"tokens": tokens, "limits": limits})


async def _declare(settings: Settings) -> None:
    async with database(settings) as db:
        await apply_changes(db, changes(DEFINITIONS, {}, datetime.now(UTC)))


def _is_ready(url: str) -> bool:
    return _status(url, "/readyz") == http.client.OK


def _status(url: str, path: str) -> int:
    """0 without a listener."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def environment(**variables: str) -> dict[str, str]:
    """A client's environment: nothing of tallymill's but `variables`."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | variables
