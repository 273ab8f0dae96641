"""A password or a certificate that changes while a process runs."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from schemas.documents import CHECKPOINTS
from schemas.settings import MongoSettings
from serving.mongodb.client import new_client, why
from serving.mongodb.renewal import renew_certificates, renew_clients
from serving.mongodb.uri import option_of
from serving.outgoing.pem import UnusablePem
from tests.patience import PATIENCE_SECONDS
from tests.security.mongo_exercises import Exercises
from tests.security.mongo_mistakes import REJECTED
from tests.security.mongo_servers import SecuredMongo, new_password, subject_of
from tests.security.system import SecuredSystem, secured_system, until
from tests.servers import Servers

pytestmark = pytest.mark.real

# An idle connection is soon closed.
NEW_CONNECTIONS = {"maxIdleTimeMS": "1"}


def settings(uri: str) -> MongoSettings:
    return MongoSettings(uri=SecretStr(uri))


async def test_a_client_in_use_takes_a_new_password(mongo: SecuredMongo) -> None:
    """Its next connections use it. A process has several clients of the same servers."""
    mongo.make_user("renewed", [])
    options = settings(mongo.uri("renewed", **NEW_CONNECTIONS))
    async with new_client(options, "another"), new_client(options, "test") as client:
        await client.admin.command("connectionStatus")
        mongo.change_password("renewed", new_password())
        with pytest.raises(OperationFailure) as refused:
            await in_a_new_connection(client)
        assert REJECTED == why(refused.value)
        renew_clients(mongo.uri("renewed"))
        assert "renewed" == await in_a_new_connection(client)


async def test_a_client_in_use_takes_a_new_certificate(mongo: SecuredMongo) -> None:
    """Of another subject, so that it is seen."""
    uris = [mongo.make_certificate_user(name, []) for name in ("first-certificate", "second-certificate")]
    first, second = (Path(option_of(uri, "tlsCertificateKeyFile") or "") for uri in uris)
    wanted = subject_of(second)
    async with new_client(settings(mongo.certificate_uri(first, **NEW_CONNECTIONS)), "test") as client:
        assert subject_of(first) == await in_a_new_connection(client)
        first.write_bytes(second.read_bytes())
        renew_certificates(mongo.certificate_uri(first))
        assert wanted == await in_a_new_connection(client)
        first.write_text("no certificate")
        with pytest.raises(UnusablePem):
            renew_certificates(mongo.certificate_uri(first))
        assert wanted == await in_a_new_connection(client), "a file that can't be used changes nothing"


async def in_a_new_connection(client: AsyncMongoClient[dict[str, Any]]) -> str:
    """The name of the user. Idle connections are closed by the client's own task, once a second."""
    last = (await client.admin.command("hello"))["connectionId"]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while last == (await client.admin.command("hello"))["connectionId"]:  # noqa: ASYNC110 no event tells it
            await asyncio.sleep(0.5)
    answer = await client.admin.command("connectionStatus")
    user: str = answer["authInfo"]["authenticatedUsers"][0]["user"]
    return user


@pytest.fixture
def system(tmp_path: Path, mongo: SecuredMongo, servers: Servers) -> Iterator[SecuredSystem]:
    name = f"changed-{time.time_ns()}"
    with secured_system(tmp_path, name, mongo, lambda _: {"bootstrap_servers": servers.kafka}) as made:
        yield made


@pytest.mark.faults
def test_a_password_that_changes_is_an_outage_and_no_more(system: SecuredSystem, servers: Servers) -> None:
    """Batches are acknowledged meanwhile, nothing becomes a dead letter, and all of them count in the end."""
    mongo = system.mongo
    system.ran("init")
    children = {process: system.start(process) for process in ("ingress", "worker", "console")}
    exercises = Exercises(system, servers.kafka)
    exercises.of("definitions")()
    system.until_ready(*children)
    assert 200 == exercises.batch()
    old = {process: mongo.passwords[system.user(process)] for process in children}
    for process in children:
        mongo.change_password(system.user(process), new_password())
    mongo.kill()
    mongo.start_again()
    for child in children.values():
        until(lambda child=child: REJECTED in child.log.read_text(), system.said)  # type: ignore[misc]
    assert [200] * 5 == [exercises.batch() for _ in range(5)]
    for process, password in old.items():
        mongo.change_password(system.user(process), password)
    for child in children.values():
        until(lambda child=child: "mongodb_back" in child.log.read_text(), system.said)  # type: ignore[misc]
        assert "Traceback" not in child.log.read_text()
        assert child.exit_status() is None
    with mongo.client as client:
        checkpoints = client[system.name][CHECKPOINTS]
        until(lambda: sum(one["fates"]["applied"] for one in checkpoints.find()) == 6, system.said)
    assert 0 == system.ran("verify", "--json").json["differences"]
    assert [] == system.ran("dead-letters", "list", "--json").json
