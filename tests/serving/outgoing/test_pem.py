"""What is wrong with a file of certificates is said with its setting: by the settings, and by both clients."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from consumer.kafka.source import SourceClient
from consumer.ports import Unavailable
from ops.config import FILE_VARIABLE, SettingsError, load_settings
from ops.local.settings import to_toml
from schemas.settings import KafkaSettings, MongoSettings
from serving.failures import outage_words
from serving.kafka.client import client_options
from serving.kafka.credentials import credentials_of
from serving.kafka.words import UnusableFile
from serving.mongodb.client import UnusableUri, new_client
from serving.outgoing.pem import MAX_BYTES, certificate_in, unreadable
from serving.reload.secrets import NotRead
from serving.reload.servers import renew_connections
from tests.security.certificates import Authority

NOBODY = 65534


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user that may not read files of others. root may read all."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("is_folder_closed", [False, True])
def test_a_file_that_may_not_be_read_is_a_setting_to_mend(tmp_path: Path, *, is_folder_closed: bool) -> None:
    """Also in a folder that may not be entered."""
    folder = tmp_path / "closed"
    folder.mkdir()
    file = folder / "ca.pem"
    file.write_text("closed")
    settings = tmp_path / "settings.toml"
    uri = f"mongodb://127.0.0.1:1/?tls=true&tlsCAFile={file}"
    settings.write_text(to_toml({"kafka": {"ssl_cafile": str(file)}, "mongodb": {"uri": uri}}))
    for parent in (tmp_path, *tmp_path.parents):
        if not parent.stat().st_mode & 0o001:  # pytest's own folders, one more of them for each worker of xdist
            parent.chmod(0o755)
    (folder if is_folder_closed else file).chmod(0)
    with without_rights(), pytest.raises(SettingsError) as refused:
        load_settings({FILE_VARIABLE: str(settings)})
    folder.chmod(0o700)
    assert [
        f"mongodb.uri: tlsCAFile: {file}: permission denied (set by {settings})",
        f"kafka.ssl_cafile: {file}: permission denied (set by {settings})",
    ] == list(refused.value.problems)


def test_a_name_that_no_file_can_have() -> None:
    assert "a\0b: not readable" == unreadable("a\0b")


def wrong_files(folder: Path) -> dict[str, str]:
    """A folder, a pipe that blocks who reads it, a device without an end, a file as large as a disk."""
    os.mkfifo(folder / "pipe")
    with (folder / "disk").open("wb") as disk:
        disk.truncate(MAX_BYTES + 1)
    return {
        str(folder): f"{folder} is a folder, not a file",
        str(folder / "pipe"): f"{folder / 'pipe'} is not a regular file",
        "/dev/zero": "/dev/zero is not a regular file",
        str(folder / "disk"): f"the file {folder / 'disk'} is larger than 16 MiB",
    }


def test_what_is_no_file_of_certificates_is_said_at_once(tmp_path: Path) -> None:
    """Of each setting: a process neither hangs nor fills the memory."""
    for wrong, words in wrong_files(tmp_path).items():
        kafka = {"security_protocol": "SSL", "ssl_certfile": str(Authority(tmp_path).issue("own").certfile)}
        for setting in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            with pytest.raises(UnusableFile) as refused:
                credentials_of(KafkaSettings.model_validate({**kafka, setting: wrong})).tls_context()
            assert f"kafka.{setting}: {words}" == str(refused.value)
        for option in ("tlsCAFile", "tlsCertificateKeyFile"):
            with pytest.raises(UnusableUri) as unusable_uri:
                new_client(MongoSettings(uri=SecretStr(f"mongodb://h/?tls=true&{option}={wrong}")), "test")
            assert f"mongodb.uri: {option}: {words}" == str(unusable_uri.value)
        assert certificate_in(wrong) is None


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("tlsCertificateKeyFile={text}", "tlsCertificateKeyFile: {text}: no certificate in PEM format"),
        ("tlsCertificateKeyFile={certificate}", "tlsCertificateKeyFile: {certificate}: no key in PEM format"),
        ("tlsCertificateKeyFile={locked}", "tlsCertificateKeyFilePassword: required, because the key in {locked} is "),
        ("tlsCAFile={text}", "tlsCAFile: {text}: no certificate in PEM format"),
    ],
)
def test_a_file_of_mongodb_s_uri_is_named(tmp_path: Path, option: str, words: str) -> None:
    """Pymongo's own errors name no file, and it asks the terminal for the password of a key."""
    authority, text = Authority(tmp_path), tmp_path / "text.pem"
    text.write_text("nothing")
    files = {
        "text": text,
        "locked": authority.issue("locked", password="x").both,
        "certificate": authority.issue("open").certfile,
    }
    uri = f"mongodb://127.0.0.1:1/?tls=true&{option.format(**files)}"
    said = f"mongodb.uri: {words.format(**files)}"
    with pytest.raises(UnusableUri) as refused:
        new_client(MongoSettings(uri=SecretStr(uri)), "test")
    assert said in str(refused.value)
    with pytest.raises(SettingsError) as unusable_settings:
        load_settings({"TALLYMILL_MONGODB__URI": uri})
    assert said in str(unusable_settings.value)


def unusable(tmp_path: Path) -> KafkaSettings:
    text = tmp_path / "text.pem"
    text.write_text("nothing")
    return KafkaSettings(bootstrap_servers="127.0.0.1:1", security_protocol="SSL", ssl_cafile=str(text))


async def test_a_worker_s_client_is_made_with_files_that_can_t_be_used(tmp_path: Path) -> None:
    """It is made before it connects. It waits, as for any other mistake."""
    kafka = unusable(tmp_path)
    client = SourceClient(kafka, "topic", request_millis=1000)
    with pytest.raises(Unavailable, match=r"kafka\.ssl_cafile: .*text\.pem: no certificate in PEM format$"):
        await client.start()
    await client.stop()
    assert client_options(kafka, connects_later=True)["ssl_context"]
    with pytest.raises(UnusableFile, match=r"^kafka\.ssl_cafile: .*text\.pem: no certificate in PEM format$"):
        client_options(kafka)


def test_an_unusable_file_is_no_bug(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile) as refused:
        credentials_of(unusable(tmp_path)).tls_context()
    assert f"Kafka: {refused.value}" == outage_words(refused.value)


def test_files_that_can_t_be_used_are_said_at_sighup(tmp_path: Path) -> None:
    """Also if they never could."""
    checks = _Checks()
    renew_connections(checks, unusable(tmp_path), MongoSettings())  # type: ignore[arg-type]
    with capture_logs(), pytest.raises(NotRead, match=r"^kafka\.ssl_cafile: "):
        checks.run()


class _Checks:
    """Of a Reload, only what it does each time."""

    def __init__(self) -> None:
        self._checks: list[object] = []

    def renews(self, *_: object) -> None:
        """Not here."""

    renews_part = renews

    def each_time(self, check: object) -> None:
        self._checks.append(check)

    def run(self) -> None:
        for check in self._checks:
            assert callable(check)
            check()
