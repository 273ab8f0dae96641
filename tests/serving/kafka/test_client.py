"""What every client of Kafka is made with."""

import os
from pathlib import Path

import pytest

from schemas.settings import KafkaSettings
from serving.kafka.client import METADATA_MAX_AGE_MILLIS, UnusableFile, client_options
from serving.kafka.tls import tls_context
from tests.kafka.certificates import new_authority


def encrypted(**files: Path) -> KafkaSettings:
    return KafkaSettings.model_validate(
        {"security_protocol": "SSL", **{name: str(file) for name, file in files.items()}}
    )


def test_every_client_hears_of_new_partitions_and_gives_up_on_a_silent_broker() -> None:
    options = client_options(KafkaSettings(bootstrap_servers="a:1"), "worker", 7_000)
    assert options["metadata_max_age_ms"] == METADATA_MAX_AGE_MILLIS
    assert (options["request_timeout_ms"], options["client_id"]) == (7_000, "worker")
    assert options["ssl_context"] is None


def test_certificates_are_read_anew_when_their_file_has_changed(tmp_path: Path) -> None:
    authority = new_authority(tmp_path, "authority")
    kafka = encrypted(ssl_cafile=authority.cafile)
    first = tls_context(kafka)
    assert tls_context(kafka) is first
    os.utime(authority.cafile, ns=(1, 1))
    assert tls_context(kafka) is not first


def test_a_file_that_cannot_be_used_is_named_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match=r"^kafka\.ssl_certfile: there is no file .*/none\.pem$"):
        tls_context(encrypted(ssl_certfile=tmp_path / "none.pem"))
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    with pytest.raises(UnusableFile, match=r"^kafka\.ssl_cafile: .*rubbish\.pem: no certificate in PEM format$"):
        tls_context(encrypted(ssl_cafile=rubbish))
