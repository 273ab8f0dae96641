"""Kafka's admin client, for what tests do to topics behind the back of tallymill."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient


@asynccontextmanager
async def admin_of(addresses: str | None) -> AsyncIterator[AIOKafkaAdminClient]:
    """Of the cluster at these addresses, as `kafka.bootstrap_servers` has them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
