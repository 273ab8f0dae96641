"""A connection to MongoDB that can't be used: each process and command says why, soon, and tells no secret."""

import asyncio
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ops.config import load_settings
from ops.local.status.server_probes import mongodb_state
from tests.mongodb.own import own_mongod
from tests.security.mongo_mistakes import MESSAGES, REJECTED, WRONG_PASSWORD, uri_with
from tests.security.mongo_servers import SecuredMongo
from tests.security.system import PROCESSES, SecuredSystem, secured_system, until, without_secrets
from tests.servers import Servers

pytestmark = pytest.mark.real

# Of a person who waits for a command.
SECONDS = 10

COMMANDS = (
    ("init",),
    ("doctor",),
    ("verify",),
    ("lineage",),
    ("dead-letters", "list"),
    ("titles", "list", "demo"),
    ("definitions", "list"),
)

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


def assert_processes_say(system: SecuredSystem, uri: str, words: str) -> None:
    """In the log, soon after they have begun; and they go on trying."""
    children = [system.start(process, mongodb={"uri": uri}) for process in PROCESSES]
    for child in children:
        until(lambda child=child: words in child.log.read_text(), system.said)  # type: ignore[misc]
        assert_said(system, child.log.read_text(), words)
        assert child.exit_status() is None
    system.children.stop(children)


@pytest.mark.parametrize("mistake", MESSAGES)
def test_a_command_says_what_is_wrong(system: SecuredSystem, mistake: str) -> None:
    user = system.mongo.make_user(f"{system.name}-user", [])
    assert user
    uri = uri_with(mistake, system.mongo, f"{system.name}-user", system.folder)
    assert_command_says(system, uri, MESSAGES[mistake], "lineage")


def test_every_command_says_what_is_wrong(system: SecuredSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = uri_with("wrong password", system.mongo, "root", system.folder)
    for command in COMMANDS:
        assert_command_says(system, uri, REJECTED, *command)
    monkeypatch.setenv("TALLYMILL_SETTINGS_FILE", str(system.file("status", mongodb={"uri": uri})))
    assert REJECTED in mongodb_state(load_settings()).detail


def test_every_process_says_what_is_wrong(system: SecuredSystem) -> None:
    system.ran("init")
    uri = uri_with("wrong password", system.mongo, "root", system.folder)
    assert_processes_say(system, uri, REJECTED)


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
