"""Sessions that end while a process uses Kafka: tokens of seconds, and passwords that brokers ask for again."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from schemas.settings import KafkaSettings
from serving.kafka import connection
from serving.kafka.bootstrap import bootstrap_options
from serving.kafka.connection import Connection
from serving.kafka.credentials import credentials_of
from tests.kafka.admin import admin_of
from tests.patience import PATIENCE_SECONDS
from tests.security.kafka_servers import Listener, SecureKafka, secure_kafka

pytestmark = pytest.mark.real

# A third is left of the oldest token that is used. Of this, enough for the second that must pass between two sign-ins.
SECONDS = 6
SESSIONS = 2


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """Sessions of SCRAM end too."""
    own = {f"listener.name.{name}.connections.max.reauth.ms": str(SECONDS * 1000) for name in ("scram",)}
    with secure_kafka(tmp_path_factory.mktemp("sessions"), **own) as running:
        running.tokens.lifetime_seconds = SECONDS
        yield running


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a connection was made, and signed in again."""
    counted: Counter[str] = Counter()

    class Counted(Connection):
        async def connect(self) -> Any:  # noqa: ANN401 aiokafka has no types
            counted["connected"] += 1
            return await super().connect()

        async def _sign_in_again(self) -> None:
            await super()._sign_in_again()
            counted["signed in again"] += 1

    monkeypatch.setattr(connection, "Connection", Counted)
    return counted


@asynccontextmanager
async def topic(kafka: SecureKafka, name: str) -> AsyncIterator[str]:
    async with admin_of(kafka.broker.address()) as admin:
        await admin.create_topics([NewTopic(name, 1, 1)])
        yield name


@asynccontextmanager
async def clients(model: KafkaSettings, name: str) -> AsyncIterator[tuple[AIOKafkaProducer, AIOKafkaConsumer]]:
    async with (
        AIOKafkaProducer(**await bootstrap_options(model), acks="all", enable_idempotence=True) as producer,
        AIOKafkaConsumer(**await bootstrap_options(model), group_id=None, auto_offset_reset="earliest") as consumer,
    ):
        consumer.assign([TopicPartition(name, 0)])
        yield producer, consumer


@pytest.mark.parametrize("listener", ["OAUTH", "SCRAM"])
async def test_a_session_that_ends_costs_no_connection_and_no_request(
    kafka: SecureKafka, listener: Listener, connections: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A producer and a consumer work without a pause over the ends of some sessions."""
    caplog.set_level(logging.WARNING)
    given = kafka.tokens.given
    model = kafka.model(listener)
    async with topic(kafka, f"sessions-{listener}") as name, clients(model, name) as (producer, consumer):
        await producer.send_and_wait(name, b"first")
        open_at_first, sent = connections["connected"], 1
        async with asyncio.timeout(PATIENCE_SECONDS):
            while connections["signed in again"] < 2 * SESSIONS:
                await producer.send_and_wait(name, b"x")
                sent += 1
        read = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while read < sent:
                read += len(await consumer.getone() and b"x")
    assert connections["connected"] - open_at_first <= 2, "the consumer's own"
    assert [] == [one.getMessage() for one in caplog.records]
    if listener == "OAUTH":
        assert kafka.tokens.given - given >= SESSIONS


async def test_the_old_token_is_used_while_the_endpoint_is_down(kafka: SecureKafka) -> None:
    credentials = credentials_of(kafka.model("OAUTH", "worker"))
    kafka.tokens.lifetime_seconds = 60
    first = await credentials.token()
    try:
        kafka.tokens.mode = "fail"
        assert first == await credentials.token()
    finally:
        kafka.tokens.mode, kafka.tokens.lifetime_seconds = "give", SECONDS
