"""Certificates that are replaced while a process runs: what is broken is not used."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from schemas.settings import KafkaSettings
from serving.kafka.credentials import Credentials
from serving.kafka.words import UnusableFile
from tests.security.certificates import Authority


def replaced(file: Path, text: str) -> None:
    """With another time of change, however coarse the clock of the file system is."""
    before = file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=(before + 1_000_000_000, before + 1_000_000_000))


def test_a_broken_file_keeps_what_was_usable(tmp_path: Path) -> None:
    """It is named once. A good one is used at once."""
    authority = Authority(tmp_path, "authority")
    file, good = authority.cafile, authority.cafile.read_text()
    credentials = Credentials(KafkaSettings(security_protocol="SSL", ssl_cafile=str(file)))
    first = credentials.tls_context()
    assert first is not None
    replaced(file, "no certificate")
    with capture_logs() as logs:
        assert first is credentials.tls_context()
        assert first is credentials.tls_context()
    assert [("certificate_not_renewed", f"kafka.ssl_cafile: {file}: no certificate in PEM format")] == [
        (one["event"], one["reason"]) for one in logs
    ]
    replaced(file, good)
    newest = credentials.tls_context()
    assert newest is not first
    file.unlink()
    assert newest is credentials.tls_context()


def test_a_link_that_points_to_another_file_is_read_again(tmp_path: Path) -> None:
    """As Kubernetes renews. Files that were unpacked or copied may have the same time."""
    link = tmp_path / "ca.pem"
    for name in ("old", "new"):
        os.utime(Authority(tmp_path / name, name).cafile, ns=(0, 0))
    link.symlink_to(tmp_path / "old" / "old.pem")
    credentials = Credentials(KafkaSettings(security_protocol="SSL", ssl_cafile=str(link)))
    first = credentials.tls_context()
    assert first is credentials.tls_context()
    (tmp_path / "next").symlink_to(tmp_path / "new" / "new.pem")
    (tmp_path / "next").replace(link)
    assert first is not credentials.tls_context()


def test_a_file_that_was_never_usable_is_refused(tmp_path: Path) -> None:
    """At the start of a process."""
    (tmp_path / "ca.pem").write_text("no certificate")
    credentials = Credentials(KafkaSettings(security_protocol="SSL", ssl_cafile=str(tmp_path / "ca.pem")))
    for _ in range(2):
        with pytest.raises(UnusableFile, match=r"kafka\.ssl_cafile"):
            credentials.tls_context()
