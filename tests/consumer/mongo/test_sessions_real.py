"""The sessions of workers on a real mongod with users: who owns them, and what ends them."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bson import Binary
from pydantic import SecretStr
from pymongo import AsyncMongoClient
from structlog.testing import capture_logs

from consumer.mongo.sessions import GRANT, LeftSession, user_digest
from consumer.mongo.store import MongoStore
from consumer.ports import Unavailable
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS
from schemas.settings import MongoSettings
from serving.mongodb.client import new_client
from serving.mongodb.renewal import renew_clients
from tests.consumer.processes import workers
from tests.consumer.sums import assert_exact, counting, send, until_applied
from tests.mongodb.users import Users, mongod_with_users
from tests.patience import PATIENCE_SECONDS
from tests.real import place
from tests.servers import Servers

pytestmark = pytest.mark.real

OURS, OTHER = PartitionId("r1", 0), PartitionId("r1", 1)
ENDED = "predecessor_session_ended"
NOT_ENDED = "predecessor_session_not_ended"
Document = dict[str, Any]


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    with mongod_with_users(tmp_path_factory.mktemp("users")) as made:
        yield made


@asynccontextmanager
async def store_of(uri: str, name: str) -> AsyncIterator[MongoStore]:
    async with AsyncMongoClient[Document](uri, tz_aware=True) as client:
        yield MongoStore(client, name, lambda step, seconds: None)  # noqa: ARG005 the names are OnStep's


async def left_open(store: MongoStore, partition: PartitionId = OURS, *, is_claimed: bool = False) -> None:
    """The store claims a partition, and stops in the middle of a flush: the checkpoint is locked."""
    if not is_claimed:
        await store.claim(partition, "dead")
    session = store._sessions.of(partition)
    await session.start_transaction()
    change = {"$set": {"locked": True}}
    found = await store._database[CHECKPOINTS].update_one({"_id": str(partition)}, change, session=session)
    assert found.modified_count


async def checkpoint(store: MongoStore, partition: PartitionId = OURS) -> Document:
    found = await store._database[CHECKPOINTS].find_one({"_id": str(partition)})
    assert found
    return found


async def user_of(client: AsyncMongoClient[Document]) -> str:
    """Who the client is to the server, on the connection that it used last."""
    answer = await client.admin.command("connectionStatus")
    return str(answer["authInfo"]["authenticatedUsers"][0]["user"])


def events(logs: list[Any]) -> list[str]:
    return [one["event"] for one in logs if one["event"] in (ENDED, NOT_ENDED)]


async def test_the_digest_of_the_user_is_the_servers(users: Users) -> None:
    """`$listLocalSessions` has the owner of each."""
    async with store_of(users.first, "digest") as store, AsyncMongoClient[Document](users.root) as root:
        await store.claim(OURS, "me")
        left = LeftSession.of(await checkpoint(store))
        assert left
        listed: list[Document] = [{"$listLocalSessions": {"allUsers": True}}, {"$match": {"_id.id": left.lsid}}]
        (found,) = await (await root.config.aggregate(listed)).to_list()
        assert found["_id"]["uid"] == left.uid


async def test_another_users_session_is_ended(users: Users) -> None:
    """The id alone would not do: it names a session of the user who asks."""
    async with store_of(users.first, "another") as dead, store_of(users.second, "another") as successor:
        await left_open(dead)
        with capture_logs() as logs:
            await successor.claim(OURS, "successor")
        assert [ENDED] == events(logs)
        assert "locked" not in await checkpoint(successor)


async def test_without_the_privilege_the_log_says_once_what_to_grant(users: Users) -> None:
    async with store_of(users.second, "denied") as dead, store_of(users.first, "denied") as successor:
        await left_open(dead)
        with capture_logs() as logs:
            for _ in range(2):
                with pytest.raises(Unavailable, match="took too long"):
                    await successor.claim(OURS, "successor")
        assert [NOT_ENDED] == events(logs)
        assert [GRANT] == [one["grant"] for one in logs if one["event"] == NOT_ENDED]


async def test_ones_own_users_session_takes_no_privilege(users: Users) -> None:
    async with store_of(users.first, "own") as dead, store_of(users.first, "own") as successor:
        await left_open(dead)
        with capture_logs() as logs:
            await successor.claim(OURS, "successor")
        assert [ENDED] == events(logs)


async def test_a_session_whose_user_was_changed_since_the_claim_is_ended(users: Users) -> None:
    """At SIGHUP. The checkpoint names the user of before, and the transaction is the new one's."""
    options = MongoSettings(uri=SecretStr(f"{users.first}&maxIdleTimeMS=1"))
    async with new_client(options, "test") as client, store_of(users.second, "changed") as successor:
        dead = MongoStore(client, "changed", lambda step, seconds: None)  # noqa: ARG005 the names are OnStep's
        await dead.claim(OURS, "dead")
        renew_clients(users.second)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await user_of(client) != "second":  # noqa: ASYNC110 no event tells it
                await asyncio.sleep(0.5)  # an idle connection is soon closed
        await left_open(dead, is_claimed=True)
        left = LeftSession.of(await checkpoint(successor))
        assert left
        assert user_digest([{"user": "first", "db": "admin"}]) == left.uid
        with capture_logs() as logs:
            await successor.claim(OURS, "successor")
        assert [ENDED] == events(logs)
        assert "locked" not in await checkpoint(successor)


async def test_a_worker_whose_user_was_changed_names_the_new_one(users: Users) -> None:
    """When it claims its next partition."""
    options = MongoSettings(uri=SecretStr(f"{users.first}&maxIdleTimeMS=1"))
    async with new_client(options, "test") as client:
        store = MongoStore(client, "named", lambda step, seconds: None)  # noqa: ARG005 the same
        await store.claim(OURS, "me")
        renew_clients(users.second)
        second = user_digest([{"user": "second", "db": "admin"}])
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await checkpoint(store)).get("uid") != second:
                await asyncio.sleep(0.5)
                await store.claim(OURS, "me")


async def test_a_claim_that_is_tried_again_ends_nothing(users: Users) -> None:
    """Its first answer was lost: the session in the checkpoint is its own."""
    async with store_of(users.first, "again") as store:
        await store.claim(OURS, "me")
        with capture_logs() as logs:
            await store.claim(OURS, "me")
        assert not events(logs)


async def test_after_an_owner_has_let_go_there_is_nothing_to_end(users: Users) -> None:
    async with store_of(users.first, "orderly") as old, store_of(users.second, "orderly") as new:
        await old.claim(OURS, "old")
        await old.release(OURS)
        assert LeftSession.of(await checkpoint(new)) is None
        with capture_logs() as logs:
            await new.claim(OURS, "new")
        assert not events(logs)


async def test_letting_go_late_leaves_the_next_owners_session_alone(users: Users) -> None:
    async with store_of(users.first, "late") as old, store_of(users.second, "late") as new:
        await old.claim(OURS, "old")
        await new.claim(OURS, "new")
        await old.release(OURS)
        assert new._sessions.lsid(OURS) == (await checkpoint(new))["lsid"]


async def test_a_session_that_a_checkpoint_names_is_used_for_nothing_else(users: Users) -> None:
    """The client's pool gives the newest id back first: to the next partition, or to any call of this process."""
    async with store_of(users.first, "pool") as store:
        named: set[bytes] = set()
        for number in range(20):
            partition = PartitionId("r1", number)
            await store.claim(partition, "me")
            lsid = bytes(store._sessions.lsid(partition))
            assert lsid not in named
            named.add(lsid)
            if number % 2:
                await store.release(partition)
        pool = store._sessions._client._topology._session_pool
        assert not named & {bytes(one.session_id["id"]) for one in pool}


async def test_a_claim_whose_session_is_killed_has_another(users: Users) -> None:
    """It is killed during the claim, again and again. Each try takes a new session."""
    async with store_of(users.first, "interrupted") as store, AsyncMongoClient[Document](users.root) as root:
        await store.claim(OTHER, "before")
        failed = {"failCommands": ["findAndModify"], "errorCode": 11601}
        command = {"configureFailPoint": "failCommand", "mode": {"times": 2}, "data": failed}
        await root.admin.command(command)
        first = Binary(store._sessions.lsid(OURS), 4)
        await store.claim(OURS, "me")
        assert first != store._sessions.lsid(OURS)


async def test_what_a_killed_worker_left_open_is_ended_by_another_user(
    servers: Servers, users: Users, tmp_path: Path
) -> None:
    """Two processes. The server itself would have kept the transaction for an hour."""
    sent = [counting(0, number) for number in range(10, 110)]
    async with place(Servers(servers.kafka, users.root), partitions=1, max_flush_records=20) as where:
        with workers(tmp_path, where.settings) as started:
            await send(where.settings, sent)
            dead = started.start_crashing("write", nth=2, mongodb__uri=users.first)
            assert -signal.SIGKILL == await dead.exited()
            died = time.monotonic()
            started.start(mongodb__uri=users.second)
            await until_applied(where, len(sent))
            print(f"counted again after {time.monotonic() - died:.1f} s")  # noqa: T201 a figure of this run
            await assert_exact(where, sent)
