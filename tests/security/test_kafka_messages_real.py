"""What is wrong with a connection to Kafka is said within ten seconds, with the setting to change."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.config import FILE_VARIABLE
from ops.local.servers.ports import any_free
from ops.local.settings import to_toml
from serving.kafka.bootstrap import NotReached, first_to_answer
from serving.kafka.client import UnusableFile
from tests.security.kafka_servers import LISTENERS, Listener, SecureKafka, secure_kafka

pytestmark = pytest.mark.real

ANSWER_SECONDS = 10


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.mark.parametrize("listener", LISTENERS)
async def test_each_way_to_sign_in_works(kafka: SecureKafka, listener: Listener) -> None:
    assert kafka.broker.address(listener) == await first_to_answer(kafka.model(listener, "worker"))


async def test_both_hashes_of_scram_work(kafka: SecureKafka) -> None:
    assert await first_to_answer(kafka.model("SCRAM", "worker", sasl_mechanism="SCRAM-SHA-256"))


async def test_key_and_certificate_may_share_a_file(kafka: SecureKafka) -> None:
    both = str(kafka.authority.issue("shared").both)
    changed = {"ssl_certfile": both, "ssl_keyfile": None, "ssl_key_password": None}
    assert await first_to_answer(kafka.model("MUTUAL", "worker", **changed))


PASSWORD = "Kafka refused user worker: wrong password, or no such user for {}"


@pytest.mark.parametrize(
    ("listener", "changed", "words"),
    [
        ("SCRAM", {"sasl_password": "x"}, PASSWORD.format("SCRAM-SHA-512")),
        ("PLAIN", {"sasl_password": "x"}, PASSWORD.format("PLAIN")),
        ("SCRAM", {"sasl_mechanism": "PLAIN"}, "Kafka does not offer PLAIN at this port, but SCRAM-SHA-"),
        ("SCRAM", {"ssl_cafile": "strange"}, "Kafka's certificate is not trusted by kafka.ssl_cafile"),
        ("SCRAM", {"bootstrap_servers": "localhost"}, "Kafka's certificate has other host names: "),
        ("SCRAM", {"security_protocol": "PLAINTEXT"}, "the port speaks TLS: check kafka.security_protocol"),
        ("SCRAM", {"bootstrap_servers": "INSIDE"}, "the port does not speak TLS: check kafka.security_protocol"),
        ("MUTUAL", {"ssl_certfile": None, "ssl_keyfile": None}, "Kafka requires a client certificate: set kafka.ssl_"),
        ("MUTUAL", {"ssl_certfile": "expired"}, "the client's certificate has expired at "),
        ("MUTUAL", {"ssl_certfile": "strange"}, "Kafka does not trust the client's certificate: "),
        ("MUTUAL", {"ssl_key_password": None}, "kafka.ssl_key_password: required, because the key in "),
        ("MUTUAL", {"ssl_key_password": "x"}, "kafka.ssl_key_password: wrong password for the key in "),
        ("MUTUAL", {"ssl_keyfile": "other"}, "kafka.ssl_keyfile: the key in "),
        ("OAUTH", {"oauth_client_secret": "x"}, "client worker is refused: check kafka.oauth_client_id and kafka."),
    ],
)  # fmt: skip
async def test_each_mistake_is_named_with_its_setting(
    kafka: SecureKafka, listener: Listener, changed: dict[str, str | None], words: str
) -> None:
    began = time.monotonic()
    with pytest.raises((NotReached, UnusableFile)) as failed:
        await first_to_answer(kafka.model(listener, "worker", **real_values(kafka, listener, changed)))
    assert words in str(failed.value)
    assert time.monotonic() - began < ANSWER_SECONDS


def real_values(kafka: SecureKafka, listener: Listener, changed: dict[str, str | None]) -> dict[str, str | None]:
    """The files and addresses that the table's short names stand for."""
    found = dict(changed)
    if where := changed.get("bootstrap_servers"):
        address = kafka.broker.address("INSIDE" if where == "INSIDE" else listener)
        found["bootstrap_servers"] = address if where == "INSIDE" else address.replace("127.0.0.1", where)
    if changed.get("ssl_cafile"):
        found["ssl_cafile"] = str(kafka.strange.cafile)
    if whose := changed.get("ssl_certfile"):
        issuer, valid = (kafka.strange, 1) if whose == "strange" else (kafka.authority, -1)
        pair = issuer.issue(whose, valid=timedelta(days=valid))
        found |= {"ssl_certfile": str(pair.certfile), "ssl_keyfile": str(pair.keyfile)}
    if changed.get("ssl_keyfile"):
        found |= {"ssl_keyfile": str(kafka.authority.issue("other").keyfile), "ssl_key_password": None}
    return found


async def test_a_token_that_the_broker_refuses(kafka: SecureKafka) -> None:
    lifetime, kafka.tokens.lifetime_seconds = kafka.tokens.lifetime_seconds, -60
    try:
        with pytest.raises(NotReached, match="Kafka refused the token of client worker: "):
            await first_to_answer(kafka.model("OAUTH", "worker", oauth_scope="expired"))
    finally:
        kafka.tokens.lifetime_seconds = lifetime


async def test_a_server_whose_certificate_has_expired(kafka: SecureKafka) -> None:
    """The handshake ends before the server's own protocol begins, so any server will do."""
    pair = kafka.authority.issue("old", "127.0.0.1", valid=timedelta(days=-1))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certfile, pair.keyfile)

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(NotReached, match="Kafka's certificate has expired: renew it on the broker"):
            await first_to_answer(kafka.model("SCRAM", "worker", bootstrap_servers=address))


@pytest.mark.parametrize("command", ["init"])
def test_a_command_says_it_in_a_sentence(kafka: SecureKafka, tmp_path: Path, command: str) -> None:
    file = tmp_path / "settings.toml"
    mongodb = {"uri": f"mongodb://127.0.0.1:{any_free()}/?replicaSet=rs0"}
    file.write_text(to_toml({"kafka": kafka.settings("SCRAM", "worker", sasl_password="x"), "mongodb": mongodb}))
    done = CliRunner().invoke(app, [command], env={FILE_VARIABLE: str(file), "COLUMNS": "500"})
    assert isinstance(done.exception, SystemExit), done.exception
    assert PASSWORD.format("SCRAM-SHA-512") in " ".join(done.output.split())
    assert "Traceback" not in done.output
