"""The rights of docs/security.md: each is needed, and one that is missing is named with the command that grants it."""

import time
from collections.abc import Iterator

import pytest

from ops.local.servers.processes import Child
from tests.patience import PATIENCE_SECONDS
from tests.security import mongo_rights
from tests.security.mongo_exercises import Exercises, named
from tests.security.mongo_rights import CLUSTER, DATABASE, Right
from tests.security.mongo_servers import SecuredMongo
from tests.security.system import PROCESSES, SecuredSystem, secured_system
from tests.servers import Servers

pytestmark = [pytest.mark.real, pytest.mark.faults]

COMMANDS = ("doctor", "verify", "dead-letters", "titles", "definitions", "status", "load", "lineage", "init")
NEED_OTHERS = {"ingress": ("worker",), "console": (), "worker": (), "load": ("ingress", "worker")}


@pytest.fixture(scope="module")
def exercises(tmp_path_factory: pytest.TempPathFactory, mongo: SecuredMongo, servers: Servers) -> Iterator[Exercises]:
    """A system that has counted something of each kind. Nothing runs."""
    folder, name = tmp_path_factory.mktemp("rights"), f"rights-{time.time_ns()}"
    with secured_system(folder, name, mongo, lambda _: {"bootstrap_servers": servers.kafka}) as system:
        found = Exercises(system, servers.kafka)
        system.ran("init")
        found.of("definitions")()
        children = [system.start(process) for process in ("ingress", "worker")]
        system.until_ready("ingress", "worker")
        found.of("load")()
        found.of("worker")()
        system.ran("load", "--rate", "20", "--seconds", "0.2")
        system.children.stop(children)
        yield found


@pytest.mark.parametrize("process", [*PROCESSES, *COMMANDS])
def test_each_right_is_needed_and_named_where_it_is_missing(exercises: Exercises, process: str) -> None:
    system = exercises.system
    others = [system.start(one) for one in NEED_OTHERS.get(process, ())]
    system.until_ready(*NEED_OTHERS.get(process, ()))
    user, rights = system.user(process), mongo_rights.of(process)
    assert system.uri(process)
    unnamed = []
    try:
        for right in rights:
            system.mongo.give(user, mongo_rights.privileges((one for one in rights if one != right), system.name))
            if not _names(exercises, right):
                unnamed.append(str(right))
    finally:
        system.mongo.give(user, mongo_rights.privileges(rights, system.name))
        system.children.stop(others)
    assert [] == unnamed


def _names(exercises: Exercises, right: Right) -> bool:
    """Whether it is named by what runs without it."""
    if right.process not in PROCESSES:
        return _is_named(exercises.of(right.process)(), exercises.system, right)
    child = exercises.system.start(right.process)
    give_up = time.monotonic() + PATIENCE_SECONDS / 4
    try:
        while not _is_named(child.log.read_text(), exercises.system, right):
            if time.monotonic() > give_up:
                return False
            exercises.of(right.process)()
            time.sleep(0.3)
    finally:
        _stop(exercises.system, child)
    return True


def _stop(system: SecuredSystem, child: Child) -> None:
    system.children.stop([child])


def _is_named(said: str, system: SecuredSystem, right: Right) -> bool:
    place = {CLUSTER: "the cluster", DATABASE: system.name}.get(right.on, f"{system.name}.{right.on}")
    # The line of an ended session has the privilege alone.
    return (
        named(said, place, right.action)
        or f'grant": "{{resource: {{cluster: true}}, actions: [\\"{right.action}' in said
    )
