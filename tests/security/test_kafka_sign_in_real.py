"""Each way to sign in to Kafka works. What is said of mistakes: test_mistakes_real.py."""

from datetime import timedelta

import pytest

from serving.kafka.bootstrap import NotReached, first_to_answer
from tests.security.kafka_mistakes import EXPIRED_SERVER, expired_server
from tests.security.kafka_servers import LISTENERS, Listener, SecureKafka

pytestmark = pytest.mark.real


@pytest.mark.parametrize("listener", LISTENERS)
async def test_each_way_to_sign_in_works(kafka: SecureKafka, listener: Listener) -> None:
    assert kafka.broker.address(listener) == await first_to_answer(kafka.model(listener, "worker"))


async def test_both_hashes_of_scram_work(kafka: SecureKafka) -> None:
    assert await first_to_answer(kafka.model("SCRAM", "worker", sasl_mechanism="SCRAM-SHA-256"))


async def test_key_and_certificate_may_share_a_file(kafka: SecureKafka) -> None:
    both = str(kafka.authority.issue("shared").both)
    changed = {"ssl_certfile": both, "ssl_keyfile": None, "ssl_key_password": None}
    assert await first_to_answer(kafka.model("MUTUAL", "worker", **changed))


async def test_a_server_whose_certificate_has_expired(kafka: SecureKafka) -> None:
    pair = kafka.authority.issue("old", "127.0.0.1", valid=timedelta(days=-1))
    with expired_server(pair.certfile, pair.keyfile) as address, pytest.raises(NotReached, match=EXPIRED_SERVER):
        await first_to_answer(kafka.model("SCRAM", "worker", bootstrap_servers=address))
