"""Mistakes of MongoDB's own settings: a command says why. Mistakes of ours: test_mistakes_real.py."""

import asyncio
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.mongodb.own import own_mongod
from tests.security.mongo_mistakes import MESSAGES, WRONG_PASSWORD
from tests.security.mongo_servers import SecuredMongo
from tests.security.system import SecuredSystem, secured_system, until, without_secrets
from tests.servers import Servers

pytestmark = pytest.mark.real

# Of a person who waits for a command.
SECONDS = 10

_is_raw = re.compile(r"Traceback|object at 0x|Topology|configured timeouts|Errno|[A-Z]\w+(?:Error|Failure)\(")


@pytest.fixture
def system(tmp_path: Path, mongo: SecuredMongo, servers: Servers) -> Iterator[SecuredSystem]:
    name = f"messages-{time.time_ns()}"
    with secured_system(tmp_path, name, mongo, lambda _: {"bootstrap_servers": servers.kafka}) as made:
        yield made


def assert_said(system: SecuredSystem, said: str, words: str) -> None:
    assert words in re.sub(r"\s+", " ", said), said
    assert not _is_raw.search(said), said
    without_secrets([said], [WRONG_PASSWORD, *system.mongo.passwords.values()])


def assert_command_says(system: SecuredSystem, uri: str, words: str, *command: str) -> None:
    done = system.run(*command, mongodb={"uri": uri})
    assert 0 != done.status
    assert_said(system, done.said, words)
    assert done.seconds < SECONDS, f"{command}: {done.seconds:g} s"


def test_an_expired_certificate_of_the_server_is_named(system: SecuredSystem) -> None:
    """Which it was not when the server began to show it."""
    uri = system.mongo.make_user(f"{system.name}-user", [])
    try:
        system.mongo.show_one_that_expires()
        words = "TLS: the server's certificate has expired: give the server a new one"
        assert_command_says(system, uri, words, "lineage")
    finally:
        system.mongo.show(timedelta(days=2))
    assert 0 == system.run("lineage", mongodb={"uri": system.uri("lineage")}).status


def test_a_server_without_tls_is_named(system: SecuredSystem, tmp_path: Path) -> None:
    with own_mongod(tmp_path) as plain:
        asyncio.run(plain.is_primary())
        uri = system.mongo.uri(None).replace(system.mongo.place.address, plain.where.address)
        words = "the server does not speak TLS: remove tls=true from mongodb.uri, or give the server a certificate"
        assert_command_says(system, uri, words, "lineage")


def test_a_console_without_a_user_is_not_ready(system: SecuredSystem) -> None:
    """MongoDB answers its pings, and none of its queries. A load balancer must not send it any."""
    child = system.start("console", mongodb={"uri": system.mongo.uri(None)})
    try:
        until(lambda: MESSAGES["no user"] in child.log.read_text(), system.said)
        assert (503, ["mongodb"]) == ready(system)
    finally:
        system.children.stop([child])


def ready(system: SecuredSystem) -> tuple[int, list[str]]:
    """The console's answer, when it has its keys."""
    until(lambda: "keys" not in system.get("console", "/readyz")[1]["missing"], system.said)
    status, body = system.get("console", "/readyz")
    return status, body["missing"]
