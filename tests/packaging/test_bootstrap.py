"""Which packages `make up` and `make check` install: by ops/bootstrap.sh with a uv that only takes notes."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.test_habits import ROOT

REQUIREMENTS = ROOT / "requirements"

# In place of uv, and of the interpreter that it puts into .venv.
UV = """#!/bin/sh
case "$1 $2" in
  --version*) exit ;;
  venv*) mkdir -p .venv/bin; printf '#!/bin/sh\\n' >.venv/bin/python; chmod +x .venv/bin/python ;;
  "pip sync") echo "$*" | grep -o 'requirements/[a-z]*' >>installed; [ ! -e unreachable ] ;;
  "pip install") touch .venv/bin/tallymill; chmod +x .venv/bin/tallymill ;;
esac
"""


class Checkout:
    """A folder with the script and what it reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("ops", "requirements", "bin", "deploy/local"):
            (folder / name).mkdir(parents=True)
        shutil.copy(ROOT / "ops" / "bootstrap.sh", folder / "ops")
        for name in ("runtime.txt", "dev.txt", "build.txt"):
            (folder / "requirements" / name).write_text(f"{name}\n")
        (folder / "pyproject.toml").touch()
        (folder / "bin" / "uv").write_text(UV)
        (folder / "bin" / "uv").chmod(0o755)

    def run(self, which: str) -> list[str]:
        """The sets of packages that were installed."""
        notes = self._folder / "installed"
        notes.unlink(missing_ok=True)
        subprocess.run(
            ["/bin/bash", "ops/bootstrap.sh", which],
            cwd=self._folder,
            env={**os.environ, "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}"},
            capture_output=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        return [line.removeprefix("requirements/") for line in notes.read_text().split()] if notes.exists() else []

    def change(self, name: str) -> None:
        (self._folder / "requirements" / name).write_text("changed\n")

    def cut_off(self) -> None:
        (self._folder / "unreachable").touch()

    def connect(self) -> None:
        (self._folder / "unreachable").unlink()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_up_installs_what_runs_and_a_second_time_nothing(checkout: Checkout) -> None:
    assert ["runtime"] == checkout.run("runtime")
    assert [] == checkout.run("runtime")


def test_check_adds_the_development_set_and_up_keeps_it(checkout: Checkout) -> None:
    """Also after a change, which is installed with the development set."""
    checkout.run("runtime")
    assert ["dev"] == checkout.run("dev")
    assert [] == checkout.run("runtime")
    checkout.change("dev.txt")
    assert ["dev"] == checkout.run("runtime")
    assert [] == checkout.run("dev")


def test_an_installation_that_failed_is_done_again(checkout: Checkout) -> None:
    """It is tried from the caches, then with the network."""
    checkout.cut_off()
    assert ["dev", "dev"] == checkout.run("dev")
    checkout.connect()
    assert ["dev"] == checkout.run("runtime")
    assert [] == checkout.run("dev")


def pinned(name: str) -> dict[str, set[str]]:
    """The versions of each package; markers may choose among several."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9-]+)==(\S+)", (REQUIREMENTS / name).read_text(), re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


def test_the_development_set_has_the_versions_that_run() -> None:
    """Otherwise tests would run with others."""
    runtime, dev = pinned("runtime.txt"), pinned("dev.txt")
    assert {} == {name: versions for name, versions in runtime.items() if dev.get(name) != versions}


def test_every_dependency_is_pinned() -> None:
    """Of the package in the runtime set, of development in its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    name = re.compile(r"[A-Za-z0-9.-]+")
    for wanted, pins in (
        (project["project"]["dependencies"], pinned("runtime.txt")),
        (project["dependency-groups"]["dev"], pinned("dev.txt")),
        (project["build-system"]["requires"], pinned("build.txt")),
    ):
        names = {found.group().lower().replace(".", "-") for one in wanted if (found := name.match(one))}
        assert set() == names - pins.keys()
