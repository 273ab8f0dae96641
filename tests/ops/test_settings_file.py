"""The settings file of the local system."""

import stat
import tomllib
from pathlib import Path

import pytest

from ops.config import FILE_VARIABLE, load_settings, worker_config
from ops.local.settings import local_settings, to_toml, write_local_settings
from ops.private_file import write_private
from ops.tokens.issuer import ensure_issuer


def write(data: Path) -> Path:
    added = local_settings("127.0.0.1:9092", "mongodb://127.0.0.1", {"ingress": 8081}, ensure_issuer(data))
    return write_local_settings(data, added)


def test_it_is_a_settings_file_with_what_was_started(tmp_path: Path) -> None:
    settings = load_settings({FILE_VARIABLE: str(write(tmp_path))})
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.ingress.port == 8081


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert stat.S_IMODE(write(tmp_path).stat().st_mode) == 0o600


def test_its_keys_are_made_once(tmp_path: Path) -> None:
    first, again = (tomllib.loads(write(tmp_path).read_text()) for _ in range(2))
    assert first["signing"]["keys"] == again["signing"]["keys"]
    assert first["console"]["session_keys"] == again["console"]["session_keys"] != first["signing"]["keys"]


def test_the_users_own_file_goes_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[kafka]\ngroup = "mine"\n[signing]\nkeys = ["sixteen characters"]\n'  # each section has its own rule
        '[console]\nsession_keys = ["sixteen others...."]\n'
    )
    monkeypatch.setenv(FILE_VARIABLE, str(own))
    document = tomllib.loads(write(tmp_path).read_text())
    assert document["kafka"] == {"bootstrap_servers": "127.0.0.1:9092", "group": "mine"}
    assert document["signing"]["keys"] == ["sixteen characters"]
    assert document["console"]["session_keys"] == ["sixteen others...."]
    assert document["tokens"]["issuer"] == "tallymill-local"


def test_an_apps_own_limits_go_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[limits.apps.demo]\nmax_update_count = 5\n")
    monkeypatch.setenv(FILE_VARIABLE, str(own))
    settings = load_settings({FILE_VARIABLE: str(write(tmp_path))})
    assert settings.limits.for_app("demo").max_update_count == 5


def test_both_topics_reach_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the user's own file names them; a worker reads both."""
    own = tmp_path / "own.toml"
    own.write_text('[kafka]\nrecords_topic = "batches"\nanalytics_topic = "pools"\n')
    monkeypatch.setenv(FILE_VARIABLE, str(own))
    config = worker_config(load_settings({FILE_VARIABLE: str(write(tmp_path))}))
    assert ["batches", "pools"] == [config.kafka.topic(api) for api in config.worker.apis]


def test_values_read_back_as_they_were_written() -> None:
    document = {
        "a": {"text": 'q"\\é\n', "number": 1.5, "flag": True, "list": ["x", "y"], "tables": {"a b": {"c": 1}, "d": {}}}
    }
    assert document == tomllib.loads(to_toml(document))


def test_a_file_that_others_could_read_is_replaced_by_one_they_cannot(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)
