"""What tallymill writes is its owner's alone, whatever the umask is."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.local.servers.processes import MAX_LOG_BYTES, Children, Program, open_log
from ops.local.settings import write_local_settings
from ops.local.state import data_lock, write_state
from ops.local.supervisor_log import SupervisorLog
from ops.private_file import private_files, private_folder, write_private
from ops.tokens.issuer import ensure_issuer
from tests.ops.local.test_state import STATE


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Everything that is not closed is open to all."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Files and folders within that others can read, write or enter."""
    return [
        f"{stat.S_IMODE(one.lstat().st_mode):o} {one.relative_to(folder)}"
        for one in sorted(folder.rglob("*"))
        if not one.is_symlink() and one.lstat().st_mode & 0o077
    ]


def test_every_file_of_a_local_system_is_private(tmp_path: Path) -> None:
    """State, lock, settings, keys, logs, and what children write; also files that an earlier version has left open."""
    (tmp_path / "data" / "logs").mkdir(parents=True)
    for name in ("supervisor.log", "child.log"):
        (tmp_path / "data" / "logs" / name).write_text("from before\n")
    data = tmp_path / "data"
    with private_files(), data_lock(data), Children(data / "logs") as children:
        write_state(data, STATE)
        SupervisorLog(data / "logs").info("begins")
        write_local_settings(data, {"tokens": ensure_issuer(data)})
        child = children.start(Program("child", ("sh", "-c", f"umask; mkdir {data}/home; echo x > {data}/home/file")))
        assert 0 == child.process.wait()
    names = {one.name for one in data.rglob("*")}
    assert {"logs", "supervisor.log", "child.log", "home", "file", "settings.toml", "issuer.jwk", "jwks.json"} <= names
    assert {"sessions.jwk", "state.json"} <= names
    assert [] == open_to_others(data)
    assert "from before\n0077\n" == (data / "logs" / "child.log").read_text()


def test_a_large_log_stays_private_when_it_is_renamed(tmp_path: Path) -> None:
    """Both files."""
    log = tmp_path / "x.log"
    log.write_bytes(b"x" * (MAX_LOG_BYTES + 1))
    open_log(log).close()
    assert ["x.log", "x.log.1"] == sorted(one.name for one in tmp_path.iterdir())
    assert [] == open_to_others(tmp_path)


def test_a_private_file_replaces_an_open_one(tmp_path: Path) -> None:
    """And a folder that was open is closed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("old")
    private_folder(folder)
    write_private(folder / "file", "new")
    assert ([], "new") == (open_to_others(tmp_path), (folder / "file").read_text())


def test_the_umask_is_given_back(tmp_path: Path) -> None:
    """Also where the work fails: other work of the process may need it."""
    with pytest.raises(ZeroDivisionError), private_files():
        raise ZeroDivisionError
    (tmp_path / "file").touch()
    assert ["666 file"] == open_to_others(tmp_path)
