"""Each reason why Kafka can't be reached has words of its own, on a real broker with TLS and SASL."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from ops.config import Settings
from ops.local.servers.ports import any_free
from ops.local.status.server_probes import kafka_state
from schemas.settings import KafkaSettings
from serving.kafka.bootstrap import NotReached, first_to_answer, unreached_brokers
from tests.kafka.brokers import Broker, lone_broker
from tests.kafka.certificates import Authority, new_authority

pytestmark = pytest.mark.real


LISTENERS = {"TLS": "SSL", "SCRAM": "SASL_SSL", "BARE": "SASL_PLAINTEXT", "MUTUAL": "SSL"}


@dataclass(frozen=True)
class Guarded:
    """A broker that speaks each protocol, on a port each, and two authorities: its own and a strange one."""

    broker: Broker
    trusted: Authority
    strange: Authority

    def settings(self, listener: str, **changed: str | None) -> KafkaSettings:
        protocol = LISTENERS.get(listener, "PLAINTEXT")
        usual = {
            "bootstrap_servers": self.broker.address(listener),
            "security_protocol": protocol,
            "ssl_cafile": str(self.trusted.cafile),
            "sasl_username": "worker",
            "sasl_password": "right",
        }
        return KafkaSettings.model_validate(usual | changed)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """The command runs on asyncio's own loop, ingress and worker on uvloop, whose errors differ."""
    with asyncio.Runner(loop_factory=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    trusted, strange = new_authority(folder, "trusted"), new_authority(folder, "strange")
    own = {
        "ssl_keystore_type": "PEM",
        "ssl_keystore_location": str(trusted.keystore("broker", "127.0.0.1")),
        "ssl_truststore_type": "PEM",
        "ssl_truststore_location": str(trusted.cafile),
        "listener.name.mutual.ssl.client.auth": "required",
        "sasl_enabled_mechanisms": "SCRAM-SHA-512",
    }
    jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    for name in ("scram", "bare"):
        own[f"listener.name.{name}.scram-sha-512.sasl.jaas.config"] = jaas
    with lone_broker(folder, LISTENERS, {"worker": "right"}, **own) as broker:
        yield Guarded(broker, trusted, strange)


def reason(runner: asyncio.Runner, kafka: KafkaSettings) -> str:
    with pytest.raises(NotReached) as refused:
        runner.run(first_to_answer(kafka))
    return str(refused.value)


@pytest.mark.parametrize("listener", ["INSIDE", "TLS", "SCRAM", "BARE"])
def test_the_right_settings_reach_it(runner: asyncio.Runner, guarded: Guarded, listener: str) -> None:
    kafka = guarded.settings(listener)
    assert kafka.bootstrap_servers == runner.run(first_to_answer(kafka))
    assert runner.run(unreached_brokers(kafka)) is None


PASSWORD = (
    "Kafka refused user worker: wrong password, or no such user for SCRAM-SHA-512 "
    "(kafka.sasl_username, kafka.sasl_password, kafka.sasl_mechanism)"
)
NO_MECHANISM = "Kafka does not offer PLAIN at this port, but SCRAM-SHA-512: check kafka.sasl_mechanism"
NO_SASL = "the port does not accept a user and password: check kafka.security_protocol"
NAMES = "use one of its names in kafka.bootstrap_servers and in the brokers' advertised.listeners"
SASL = "the port requires a user and password: check kafka.security_protocol and kafka.sasl_username"


@pytest.mark.parametrize(
    ("listener", "changed", "words"),
    [
        ("SCRAM", {"sasl_password": "wrong"}, PASSWORD),
        ("BARE", {"sasl_password": "wrong"}, PASSWORD),
        ("SCRAM", {"sasl_username": "other"}, PASSWORD.replace("user worker", "user other")),
        ("SCRAM", {"sasl_mechanism": "PLAIN"}, NO_MECHANISM),
        ("SCRAM", {"security_protocol": "SASL_PLAINTEXT"}, "the port speaks TLS: check kafka.security_protocol"),
        ("TLS", {"security_protocol": "PLAINTEXT"}, "the port speaks TLS: check kafka.security_protocol"),
        ("INSIDE", {"security_protocol": "SSL"}, "the port does not speak TLS: check kafka.security_protocol"),
        ("BARE", {"security_protocol": "SASL_SSL"}, "the port does not speak TLS: check kafka.security_protocol"),
        ("INSIDE", {"security_protocol": "SASL_PLAINTEXT"}, NO_SASL),
        ("BARE", {"security_protocol": "PLAINTEXT"}, SASL),
        ("SCRAM", {"security_protocol": "SSL"}, SASL),
    ],
)  # fmt: skip
def test_each_wrong_setting_has_its_own_words(
    runner: asyncio.Runner, guarded: Guarded, listener: str, changed: dict[str, str], words: str
) -> None:
    kafka = guarded.settings(listener, **changed)
    assert f"{guarded.broker.address(listener)}: {words}" == reason(runner, kafka)


@pytest.mark.parametrize(
    ("changed", "told"),
    [({}, "topic tallymill.records is missing"), ({"sasl_password": "wrong"}, PASSWORD)],
)
def test_status_asks_the_same_way(guarded: Guarded, changed: dict[str, str], told: str) -> None:
    """Over TLS with a password, and in the same words."""
    answer = kafka_state(Settings.model_construct(kafka=guarded.settings("SCRAM", **changed)))
    assert told in answer.detail
    assert ("no answer" if changed else "not ready") == answer.state


def test_a_certificate_that_is_not_trusted_and_one_for_another_name(runner: asyncio.Runner, guarded: Guarded) -> None:
    address = guarded.broker.address("SCRAM")
    strange = guarded.settings("SCRAM", ssl_cafile=str(guarded.strange.cafile))
    assert f"{address}: Kafka's certificate is not trusted by kafka.ssl_cafile" == reason(runner, strange)
    named = address.replace("127.0.0.1", "localhost")
    other_name = guarded.settings("SCRAM", bootstrap_servers=named)
    assert f"{named}: Kafka's certificate has other host names: {NAMES}" == reason(runner, other_name)


def test_a_client_certificate_that_is_missing_strange_or_right(runner: asyncio.Runner, guarded: Guarded) -> None:
    address = guarded.broker.address("MUTUAL")
    missing = "Kafka requires a client certificate: set kafka.ssl_certfile and kafka.ssl_keyfile"
    assert f"{address}: {missing}" == reason(runner, guarded.settings("MUTUAL"))
    strange = str(guarded.strange.keystore("stranger", "client"))
    told = f"Kafka does not trust the client's certificate: one of the broker's authorities must sign {strange}"
    assert f"{address}: {told} (kafka.ssl_certfile)" == reason(
        runner, guarded.settings("MUTUAL", ssl_certfile=strange, ssl_keyfile=strange)
    )
    known = str(guarded.trusted.keystore("client", "client"))
    assert address == runner.run(first_to_answer(guarded.settings("MUTUAL", ssl_certfile=known, ssl_keyfile=known)))


def test_ports_where_no_kafka_is(runner: asyncio.Runner, guarded: Guarded) -> None:
    nothing, silent = f"127.0.0.1:{any_free()}", socket.create_server(("127.0.0.1", 0))
    with closing(silent):
        mute = f"127.0.0.1:{silent.getsockname()[1]}"
        kafka = KafkaSettings(bootstrap_servers=f"{nothing},{mute},no-such-host.invalid:9092,127.0.0.1:99999")
        words = reason(runner, kafka)
    assert words == (
        f"{nothing}: connection refused; {mute}: no answer in 5 s; no-such-host.invalid:9092: host name not found; "
        "127.0.0.1:99999: not an address: check kafka.bootstrap_servers"
    )
    mixed = KafkaSettings(bootstrap_servers=f"{nothing},{guarded.broker.address()}")
    assert guarded.broker.address() == runner.run(first_to_answer(mixed))


async def test_brokers_that_only_their_own_network_knows_are_named(tmp_path: Path) -> None:
    with lone_broker(tmp_path, advertised_listeners="INSIDE://kafka-1.invalid:9092") as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.address())
        assert broker.address() == await first_to_answer(kafka)
        assert await unreached_brokers(kafka) == "kafka-1.invalid:9092: host name not found"
