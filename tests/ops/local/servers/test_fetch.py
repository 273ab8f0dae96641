"""Files of the servers: complete or absent, and a message with the command to run if a permission is missing."""

import os
from pathlib import Path

import pytest

from ops.local.servers import fetch
from ops.local.servers.fetch import FetchError
from ops.local.servers.paths import cache_folder, cached


def test_a_changed_pin_is_fetched_anew(tmp_path: Path) -> None:
    pin = tmp_path / "pin.txt"
    pin.write_text("thing==1")
    first = cached(tmp_path, "thing", pin)
    pin.write_text("thing==2")
    assert cached(tmp_path, "thing", pin) != first


def test_without_root_it_is_said_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(
        FetchError, match=r"only root can install. Run:\n    sudo apt-get update && .* install -y libcurl4 libssl3"
    ):
        fetch.apt_install(fetch.MONGOD_LIBRARIES, "mongod needs libcurl and OpenSSL 3")


def test_without_apt_the_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match=r"on Debian: libcurl4 libssl3"):
        fetch.apt_install(fetch.MONGOD_LIBRARIES, "mongod needs libcurl and OpenSSL 3")


def test_the_cache_folder_is_the_users_word_or_the_usual_place() -> None:
    assert cache_folder({"TALLYMILL_CACHE": "/c"}) == Path("/c")
    assert cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/tallymill")
    assert cache_folder({}) == Path.home() / ".cache" / "tallymill"
