"""Where servers come from."""

from pathlib import Path

import pytest

from ops.local.servers import docker
from ops.local.servers.source import Sources, choose_sources


def never() -> bool:
    pytest.fail("Docker was asked though both addresses are set")


def test_addresses_in_the_settings_come_first() -> None:
    assert Sources("settings", "settings") == choose_sources("k:9092", "mongodb://m", never)


def test_docker_comes_before_the_local_stack() -> None:
    assert Sources("docker", "docker") == choose_sources(None, None, lambda: True)
    assert Sources("local", "local") == choose_sources(None, None, lambda: False)


def test_one_address_leaves_the_other_server_to_us() -> None:
    assert Sources("settings", "local") == choose_sources("k:9092", None, lambda: False)
    assert Sources("docker", "settings") == choose_sources(None, "mongodb://m", lambda: True)


@pytest.mark.parametrize(("status", "answers"), [(0, True), (1, False)])
def test_a_docker_without_an_engine_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, status: int, answers: bool
) -> None:
    fake = tmp_path / "docker"
    fake.write_text(f"#!/bin/sh\nexit {status}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert answers == docker.engine_answers()


def test_a_missing_image_is_pulled_and_an_old_container_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "docker"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$1" != image ]\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    docker.prepare("mongo:6.0", "tallymill-mongodb-1")
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["image inspect mongo:6.0", "pull mongo:6.0", "rm --force tallymill-mongodb-1"]
