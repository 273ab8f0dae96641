"""A mongod of one test, which may be frozen, killed and started again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.local.servers.fetch import mongod_file
from ops.local.servers.mongod import MongodPlace, mongod_program
from ops.local.servers.ports import any_free
from ops.local.servers.processes import Child, Children, Program
from ops.local.servers.replica_set import make_primary
from tests.consumer.waiting import until


class Mongod:
    """A mongod of this test, which may be killed."""

    def __init__(self, children: Children, where: MongodPlace) -> None:
        self._children = children
        self._program: Program = mongod_program(mongod_file(), where)
        self.where = where
        self.child: Child = children.start(self._program)

    def kill(self) -> None:
        self._children.forget(self.child)

    async def start_again(self) -> None:
        self.child = self._children.start(self._program)
        await self.is_primary()

    async def is_primary(self) -> None:
        async def made() -> bool:
            return await asyncio.to_thread(make_primary, self.where.address)

        await until(made, "a primary")


@contextmanager
def own_mongod(folder: Path) -> Iterator[Mongod]:
    where = MongodPlace(folder / "mongod", any_free([]))
    where.home.mkdir()
    with Children(folder / "logs") as children:
        yield Mongod(children, where)
        children.kill_all()
