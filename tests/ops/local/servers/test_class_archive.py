"""The archive of Kafka's classes: a help to its start that nothing depends on."""

import os
from pathlib import Path

import pytest

from ops.local.servers.class_archive import archive_of, make_archive, with_archive
from ops.local.servers.kafka import KafkaPlace, format_command, kafka_program
from ops.local.servers.paths import KafkaFiles


@pytest.fixture
def files(tmp_path: Path) -> KafkaFiles:
    """A Java that can't run anything."""
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    (tmp_path / "kafka-1").mkdir()
    return KafkaFiles(java=str(java), jars=tmp_path / "kafka-1")


def test_an_archive_that_cannot_be_made_is_noted_and_never_used(files: KafkaFiles, tmp_path: Path) -> None:
    """Empty: else each start would try again. Nothing else is left."""
    make_archive(files)
    archive = archive_of(files.jars, files.java)
    assert b"" == archive.read_bytes()
    assert files == with_archive(files)
    assert {"java", "kafka-1", archive.name} == {path.name for path in tmp_path.iterdir()}


def test_an_archive_is_for_one_java_and_one_set_of_jars(files: KafkaFiles) -> None:
    """Another can't read it."""
    first = archive_of(files.jars, files.java)
    assert first != archive_of(files.jars.with_name("kafka-2"), files.java)
    os.utime(files.java, ns=(1, 1))
    assert first != archive_of(files.jars, files.java)


def test_the_broker_and_its_tools_are_started_with_the_archive(files: KafkaFiles) -> None:
    """Where there is one."""
    place = KafkaPlace(files.jars, 1, 2)
    assert not [word for word in kafka_program(files, place).command if "Shared" in word]
    archive = archive_of(files.jars, files.java)
    archive.write_bytes(b"classes")
    for command in (kafka_program(with_archive(files), place).command, format_command(with_archive(files), place, "x")):
        assert f"-XX:SharedArchiveFile={archive}" in command
