"""The tables of docs/security.md name every command, and the files that grant the rights are made from them."""

import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

from serving.kafka.rights import NEEDED
from tests.clients.nodejs import NODE
from tests.security import kafka_rights, mongo_rights
from tests.security.commands import COMMANDS
from tests.security.kafka_rights import PAGE
from tests.security.rights_files import ACLS, ROLES, acls, roles
from tests.security.system import PROCESSES

# `up` runs it in the place of `init` and `definitions apply`.
ALL = ({one.name.split()[0] for one in COMMANDS} | {*PROCESSES, "canary"}) - {"prepare"}


def without_server(server: str) -> set[str]:
    """The commands of which the page says that they do not connect."""
    found = re.search(rf"((?:`[\w-]+`(?:, | and )?)+) do(?:es)? not connect to {server}\.", PAGE.read_text())
    assert found
    return set(re.findall(r"`([\w-]+)`", found[1]))


def test_every_process_and_command_is_in_both_tables() -> None:
    of_kafka = {row.process for row in kafka_rights.rows()}
    assert ALL == of_kafka | without_server("Kafka")
    assert not of_kafka & without_server("Kafka")
    assert of_kafka == {one.name.split()[0] for one in COMMANDS if one.kafka} - {"prepare"} | set(PROCESSES)
    of_mongodb = {one.process for one in mongo_rights.rights()}
    assert ALL == of_mongodb | without_server("MongoDB")
    assert not of_mongodb & without_server("MongoDB")


def test_messages_know_the_rights_of_the_table() -> None:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in kafka_rights.rows():
        found[row.process][row.on.rstrip("s")].append(row.operation)
    told = {process: {on: list(names) for on, names in by_resource.items()} for process, by_resource in NEEDED.items()}
    assert told == found


def test_the_files_are_made_from_the_tables() -> None:
    """Else run `python -m tests.security.rights_files`."""
    assert acls() == ACLS.read_text()
    assert roles() == ROLES.read_text()


def test_the_script_grants_the_rights_of_the_table(tmp_path: Path) -> None:
    """A tool in the place of Kafka's writes down how it is called."""
    tool, calls = tmp_path / "kafka-acls.sh", tmp_path / "calls"
    tool.write_text(f'#!/bin/sh\nfor one in "$@"; do printf "%s\\n" "$one"; done >> {calls}\necho >> {calls}\n')
    tool.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "RECORDS": "r", "ANALYTICS": "r.analytics", "GROUP": "r"}
    subprocess.run([str(ACLS)], env=environ, check=True)
    granted = [right for call in calls.read_text().strip().split("\n\n") for right in rights_of(call.split("\n"))]
    wanted = [right for row in kafka_rights.rows() for right in kafka_rights.rights_of(row, "r")]
    assert sorted(map(str, wanted)) == sorted(map(str, granted))


def rights_of(call: list[str]) -> list[kafka_rights.Right]:
    fixed = ["--bootstrap-server", "kafka-1:9093", "--command-config", "admin.properties", "--add"]
    assert fixed == call[:5]
    assert "--allow-principal" == call[5]
    options = defaultdict(list)
    rest = call[7:]
    while rest:
        name = rest.pop(0)
        options[name].append(kafka_rights.CLUSTER_NAME if name == "--cluster" else rest.pop(0))
    operations = options.pop("--operation")
    return [
        kafka_rights.Right(call[6].removeprefix("User:"), operation, resource.removeprefix("--"), name)  # type: ignore[arg-type]
        for resource, names in options.items()
        for name in names
        for operation in operations
    ]


def test_roles_js_makes_the_roles_of_the_table() -> None:
    """Run by Node, as mongosh runs it, with a `db` that prints what it is given."""
    stub = """
        const say = (one) => console.log(JSON.stringify(one));
        const updateRole = (role, one) => say({role, ...one});
        const db = {getSiblingDB: () => ({getRole: (role) => role === "tallymill-init", createRole: say, updateRole})};
        const print = () => {};
    """
    script = stub + ROLES.read_text()
    done = subprocess.run([str(NODE), "-e", script], capture_output=True, check=True, env={})
    made: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.decode().splitlines()]
    wanted = {
        f"tallymill-{process}": [*mongo_rights.privileges(mongo_rights.of(process), "tallymill")]
        for process in {one.process for one in mongo_rights.rights()}
    }
    assert wanted == {one["role"]: one["privileges"] for one in made}
    assert all([] == one["roles"] for one in made)
