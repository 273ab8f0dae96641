"""A mongod that asks for users and passwords: a replica set of one, with two users for workers."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from ops.local.servers.fetch import mongod_file
from ops.local.servers.mongod import REPLICA_SET, MongodPlace, mongod_options
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Children, Program
from tests.patience import PATIENCE_SECONDS

KILLER = {
    "createRole": "endSessions",
    "privileges": [{"resource": {"cluster": True}, "actions": ["killAnySession"]}],
    "roles": [],
}
# Longer than any test waits: what moves on has been freed by somebody.
LIFETIME_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Users:
    """How each of them connects. `root` may do everything; `second` may end sessions of others, `first` may not."""

    address: str
    password: str

    def uri(self, user: str) -> str:
        return f"mongodb://{user}:{self.password}@{self.address}/?replicaSet={REPLICA_SET}&authSource=admin"

    @property
    def root(self) -> str:
        return self.uri("root")

    @property
    def first(self) -> str:
        return self.uri("first")

    @property
    def second(self) -> str:
        return self.uri("second")


@contextmanager
def mongod_with_users(folder: Path) -> Iterator[Users]:
    place = MongodPlace(folder / "mongod-users", any_free([]))
    place.home.mkdir(parents=True)
    key = folder / "keyfile"
    key.write_text(secrets.token_hex(64))
    key.chmod(0o600)
    options = [*mongod_options(place.port), "--keyFile", str(key), "--setParameter", "enableTestCommands=1"]
    lifetime = next(n for n, one in enumerate(options) if one.startswith("transactionLifetimeLimitSeconds"))
    options[lifetime] = f"transactionLifetimeLimitSeconds={LIFETIME_SECONDS}"
    where = ("--bind_ip", LOOPBACK, "--dbpath", str(place.home), "--nounixsocket")
    users = Users(place.address, secrets.token_hex(8))
    with Children(folder / "logs-users") as children:
        children.start(Program("mongod-users", (mongod_file(), *where, *options), stop_seconds=15))
        _make_users(users)
        yield users
        children.kill_all()


def _make_users(users: Users) -> None:
    """By the exception for a server that has no user yet."""
    direct = f"mongodb://{users.address}/?directConnection=true"
    config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": users.address}]}
    with MongoClient[dict[str, Any]](direct, serverSelectionTimeoutMS=PATIENCE_SECONDS * 1000) as client:
        client.admin.command("replSetInitiate", config)
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not client.admin.command("hello").get("isWritablePrimary"):
            assert time.monotonic() < give_up, "no primary"
            time.sleep(0.05)
        client.admin.command("createUser", "root", pwd=users.password, roles=["root"])
    with MongoClient[dict[str, Any]](users.root) as client:
        client.admin.command(KILLER)
        may = ["readWriteAnyDatabase"]
        client.admin.command("createUser", "first", pwd=users.password, roles=may)
        client.admin.command("createUser", "second", pwd=users.password, roles=[*may, "endSessions"])
