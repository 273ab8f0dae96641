"""Connections of commands to a real Kafka."""

import pytest

from ops.config import Settings
from ops.connect import kafka_consumer
from tests.servers import Servers

pytestmark = pytest.mark.real


async def test_a_consumer_that_is_closed_at_once_raises_nothing(servers: Servers) -> None:
    """The stop() of aiokafka raises CancelledError if a task of the consumer has not begun."""
    settings = Settings.model_validate({"kafka": {"bootstrap_servers": servers.kafka}})
    async with kafka_consumer(settings):
        pass
