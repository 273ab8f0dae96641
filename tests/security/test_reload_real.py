"""SIGHUP to running processes under load: secrets change, and no request fails."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ops.local.servers.processes import Child
from tests.patience import PATIENCE_SECONDS
from tests.security.mongo_servers import SecuredMongo
from tests.security.system import SecuredSystem, Table, secured_system, until
from tests.servers import Servers

pytestmark = pytest.mark.real

OLD, NEW = "the old key of sixteen bytes or more", "the new key of sixteen bytes or more"


# A request that waits for a slow machine has not failed.
PATIENT: dict[str, Table] = {"ingress": {"publish_deadline_seconds": PATIENCE_SECONDS}}


class Rotation:
    """A system whose ingress and worker read their settings again."""

    def __init__(self, system: SecuredSystem) -> None:
        self.system = system
        assert "wrong" not in {one["state"] for one in system.ran("init", "--json").json}
        first: dict[str, Table] = {"signing": {"keys": [OLD]}}
        self.children = {process: system.start(process, **first) for process in ("worker", "ingress")}
        system.until_ready("ingress", "worker")

    def events(self, child: Child) -> list[dict[str, Any]]:
        lines = child.log.read_text().splitlines()
        return [json.loads(line) for line in lines if '"secrets_' in line]

    def change(self, event: str = "secrets_renewed", **changed: Table) -> dict[str, dict[str, Any]]:
        """New settings for both, and SIGHUP. Returns what each has logged."""
        told = {}
        for process, child in self.children.items():
            before = len(self.events(child))
            self.system.file(process, **changed)
            os.kill(child.pid, signal.SIGHUP)
            until(lambda child=child, before=before: len(self.events(child)) > before, self.system.said)  # type: ignore[misc]
            told[process] = self.events(child)[-1]
            assert event == told[process]["event"], told
        return told

    def load(self, seconds: float) -> dict[str, Any]:
        found: dict[str, Any] = self.system.ran(
            "load", "--rate", "60", "--seconds", str(seconds), "--players", "20", "--json", signing={"keys": [NEW, OLD]}
        ).json
        return found


def test_keys_and_passwords_change_under_load_and_no_request_fails(
    tmp_path: Path, mongo: SecuredMongo, servers: Servers
) -> None:
    """In the three steps of docs/operations.md; a broken file changes nothing; the same processes all the time."""
    with secured_system(
        tmp_path, "reload", mongo, lambda _: {"bootstrap_servers": servers.kafka}, changed=PATIENT
    ) as system:
        rotation = Rotation(system)
        with ThreadPoolExecutor() as beside:
            rotated = beside.submit(rotate_keys, rotation)
            loaded = rotation.load(4)
            rotated.result()
        assert ([], {}, 0) == (loaded["differences"], loaded["refused"], loaded["unknown"])
        rotate_password(rotation, system, mongo)
        assert all(child.exit_status() is None for child in rotation.children.values())


def rotate_keys(rotation: Rotation) -> None:
    for keys in ([OLD, NEW], [NEW, OLD], [NEW]):
        told = rotation.change(signing={"keys": keys})
        assert [["signing.keys"]] * 2 == [one["changed"] for one in told.values()]
    broken = rotation.change("secrets_not_renewed", signing={"keys": ["hidden-word"]})
    assert all(one["reason"].startswith("signing.keys, entry 1: must be") for one in broken.values())
    assert "hidden-word" not in str(broken)


def rotate_password(rotation: Rotation, system: SecuredSystem, mongo: SecuredMongo) -> None:
    """The server knows the new password only, and all connections are made anew."""
    for process in rotation.children:
        user = system.user(process)
        mongo.change_password(user, f"new password of {process}")
        system.uris[process] = mongo.uri(user)
    told = rotation.change(signing={"keys": [NEW]})
    assert [["mongodb.uri"]] * 2 == [one["changed"] for one in told.values()]
    mongo.kill()
    mongo.start_again()
    system.until_ready("ingress", "worker")
    assert ([], {}) == tuple(rotation.load(1)[name] for name in ("differences", "refused"))
