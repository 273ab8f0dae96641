"""The programs of Kafka and MongoDB: from the jars, from the binary, or in Docker."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from ops.local.servers import docker, kafka, mongod
from ops.local.servers.fetch import java_major
from ops.local.servers.paths import KafkaFiles
from ops.local.servers.replica_set import make_primary, moved_config

FILES = KafkaFiles(java="/jre/bin/java", jars=Path("/cache/kafka"))
KAFKA = kafka.KafkaPlace(Path("/data/kafka"), 19092, 19093)
MONGOD = mongod.MongodPlace(Path("/data/mongodb"), 17017)


def properties(place: kafka.KafkaPlace) -> dict[str, str]:
    return dict(line.split("=", 1) for line in kafka.properties_text(place).splitlines())


def test_kafka_listens_on_loopback_alone() -> None:
    settings = properties(KAFKA)
    assert settings["listeners"] == "CLIENT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert settings["advertised.listeners"] == "CLIENT://127.0.0.1:19092"


def test_kafka_keeps_its_data_where_it_is_told() -> None:
    assert properties(KAFKA)["log.dirs"] == "/data/kafka/log"
    odd = replace(KAFKA, home=Path("/a $folder\\wïth 𝄞"))
    assert properties(odd)["log.dirs"] == r"/a $folder\u005cw\u00efth \ud834\udd1e/log"


def test_kafka_takes_a_record_of_a_whole_offline_pool() -> None:
    assert int(properties(KAFKA)["message.max.bytes"]) > 8 * 1024 * 1024


def test_kafka_is_run_from_its_jars_with_a_small_heap() -> None:
    command = kafka.kafka_program(FILES, KAFKA).command
    assert command[:2] == ("/jre/bin/java", "-Xmx512m")
    assert command[-4:] == ("-cp", "/cache/kafka/*", "kafka.Kafka", "/data/kafka/server.properties")


def test_kafka_unpacks_its_libraries_among_its_own_files() -> None:
    """In the system's temporary folder each broker that is killed would leave some."""
    assert "-Djava.io.tmpdir=/data/kafka" in kafka.kafka_program(FILES, KAFKA).command


def test_storage_is_formatted_for_one_cluster() -> None:
    command = kafka.format_command(FILES, KAFKA, "-bc")
    assert command[-4:] == ("format", "--cluster-id=-bc", "--config", "/data/kafka/server.properties")


def test_a_cluster_id_is_22_characters_as_kafka_makes_them() -> None:
    assert len(kafka.new_cluster_id()) == 22


def test_a_metadata_request_asks_for_no_topic() -> None:
    request = kafka.metadata_request()
    length, key, version, correlation, client_length = struct.unpack_from(">ihhih", request)
    assert (len(request) - 4, 3, 1, 1, len("tallymill")) == (length, key, version, correlation, client_length)
    assert request[14:] == b"tallymill" + b"\0\0\0\0"


def test_brokers_are_counted_in_a_metadata_response() -> None:
    assert kafka.brokers_in(struct.pack(">ii", 1, 3)) == 3


def test_nobody_listening_is_no_answer() -> None:
    assert not kafka.answers("127.0.0.1:1")
    assert not make_primary("127.0.0.1:1")


def test_mongod_is_a_replica_set_on_loopback() -> None:
    command = " ".join(mongod.mongod_program("/bin/mongod", MONGOD).command)
    assert command.startswith("/bin/mongod --bind_ip 127.0.0.1 --dbpath /data/mongodb")
    assert "--replSet rs0 --port 17017" in command
    assert "transactionLifetimeLimitSeconds=15" in command
    assert MONGOD.uri == "mongodb://127.0.0.1:17017/?replicaSet=rs0"


def test_a_replica_set_follows_its_member_to_another_port() -> None:
    config = {"_id": "rs0", "version": 4, "members": [{"_id": 0, "host": "127.0.0.1:1", "votes": 1}]}
    assert moved_config(config, "127.0.0.1:1") is None
    moved = moved_config(config, "127.0.0.1:2")
    assert moved == {"_id": "rs0", "version": 5, "members": [{"_id": 0, "host": "127.0.0.1:2", "votes": 1}]}


def test_containers_are_published_on_loopback_alone() -> None:
    for program, port in ((docker.kafka_program(KAFKA), 19092), (docker.mongod_program(MONGOD), 17017)):
        assert [f"--publish=127.0.0.1:{port}:{port}"] == [word for word in program.command if "--publish" in word]


def test_kafka_in_a_container_listens_to_the_outside_and_sends_clients_to_loopback() -> None:
    environ = docker.kafka_environment(KAFKA)
    assert environ["KAFKA_LISTENERS"].startswith("CLIENT://0.0.0.0:19092,")
    assert environ["KAFKA_ADVERTISED_LISTENERS"] == "CLIENT://127.0.0.1:19092"


def test_two_data_folders_have_two_containers() -> None:
    assert docker.container_name("kafka", Path("/a")) != docker.container_name("kafka", Path("/b"))


@pytest.mark.parametrize(
    ("output", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25.0.2" 2026-01-20 LTS', 25),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_292"', 1),
        ("command not found", 0),
    ],
)
def test_java_tells_its_version(output: str, major: int) -> None:
    assert major == java_major(output)
