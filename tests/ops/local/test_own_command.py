"""The command and its children import what is installed, never files of the working directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.local.servers.processes import Children, Program, own_command
from tests.ops.local.hostile_folder import hostile
from tests.patience import PATIENCE_SECONDS

COMMANDS = {
    "a child of `up`": own_command("config"),
    "the script": (str(Path(sys.executable).with_name("tallymill")), "config"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_nothing_is_imported_from_where_the_user_stands(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Folders and files named `ops`, `schemas`, `json`, ... would be found first."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TALLYMILL_")}
    ran = subprocess.run(
        command,
        cwd=hostile(tmp_path),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert (0, "") == (ran.returncode, ran.stderr)
    assert "kafka.group" in ran.stdout


def test_a_child_that_starts_python_again_is_kept_from_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment that it hands on."""
    monkeypatch.chdir(hostile(tmp_path))
    again = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', 'import json, ops.config']))"
    with Children(tmp_path / "logs") as children:
        child = children.start(Program("parent", (sys.executable, "-c", again)))
        assert 0 == child.process.wait(PATIENCE_SECONDS), child.log.read_text()


def test_a_command_keeps_its_words_as_they_are() -> None:
    """The folder that it is installed in may have a space in its name."""
    assert (sys.executable, "-P", "-m", "ops", "prepare", "/my folder/demo.yaml") == own_command(
        "prepare", "/my folder/demo.yaml"
    )


def test_a_command_ignores_the_environment_as_its_parent_does(tmp_path: Path) -> None:
    """Started by pipx's script, `up` works with a PYTHONHOME or PYTHONPATH for another Python. So do its processes."""
    program = "import os; from ops.local.servers.processes import own_command as of; os.execv(of()[0], of('--version'))"
    wrong = {"PYTHONPATH": str(hostile(tmp_path)), "PYTHONHOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-E", "-P", "-c", program],
        cwd=tmp_path,
        env={**os.environ, **wrong},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert (0, "", "tallymill") == (ran.returncode, ran.stderr, ran.stdout.split()[0])
