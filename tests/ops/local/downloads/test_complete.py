"""A folder of the cache is complete or absent, and a cache that can't be written is told in one sentence."""

import os
import stat
from pathlib import Path

import pytest

from ops.local.downloads.complete import STALE_SECONDS, FetchError, whole_or_absent
from ops.local.servers.paths import cache_folder


def test_a_folder_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Others may read it: a cache may be shared."""
    home = tmp_path / "cache" / "thing"
    with whole_or_absent(home) as new:
        (new / "file").touch()
        assert not home.exists()
    assert (home / "file").exists()
    assert 0o755 == stat.S_IMODE(home.stat().st_mode)


@pytest.mark.parametrize("error", [FetchError("no network"), KeyboardInterrupt(), SystemExit(143)])
def test_a_download_that_fails_or_is_interrupted_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    """Neither under its name nor under another."""

    def fail() -> None:
        with whole_or_absent(tmp_path / "thing") as new:
            (new / "half").touch()
            raise error

    with pytest.raises(type(error)):
        fail()
    assert [] == list(tmp_path.iterdir())


def test_what_another_has_finished_meanwhile_is_kept(tmp_path: Path) -> None:
    """Two first starts at once: the first one's folder may be in use already."""
    home = tmp_path / "thing"
    with whole_or_absent(home) as late:
        (late / "late").touch()
        with whole_or_absent(home) as early:
            (early / "early").touch()
    assert ["early"] == [file.name for file in home.iterdir()]
    assert [home] == list(tmp_path.iterdir())


def test_a_cache_that_cant_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    """With the folder, the reason and what to do."""
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "cache"
    with pytest.raises(FetchError) as raised, whole_or_absent(cache / "thing"):
        pass
    assert (
        f"The cache folder {cache} can't be written: Not a directory. "
        "Correct that, or set TALLYMILL_CACHE to another folder, then try again"
    ) == str(raised.value)


def test_a_full_disk_is_told_in_one_sentence(tmp_path: Path) -> None:
    """It shows only while the files are written."""
    with pytest.raises(FetchError, match="can't be written: No space left on device"), whole_or_absent(tmp_path / "a"):
        raise OSError(28, os.strerror(28))
    assert [] == list(tmp_path.iterdir())


def test_what_a_killed_download_has_left_is_removed_by_a_later_one(tmp_path: Path) -> None:
    """A day later: until then it may be one that runs."""
    old, running = tmp_path / "new-thing-1", tmp_path / "new-thing-2"
    for folder in (old, running):
        folder.mkdir()
        (folder / "half").touch()
    long_ago = running.stat().st_mtime - STALE_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    with whole_or_absent(tmp_path / "thing"):
        pass
    assert {"thing", running.name} == {folder.name for folder in tmp_path.iterdir()}


def test_a_user_without_a_home_is_told_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with a user id of its own."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(FetchError, match=r"no home folder\. Set TALLYMILL_CACHE"):
        cache_folder({})
