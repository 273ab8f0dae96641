"""A database for a test of the store."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from tests.servers import Servers


@dataclass
class Database:
    client: AsyncMongoClient[dict[str, Any]]
    name: str


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[Database]:
    """A database of its own, gone afterwards."""
    name = f"test-{secrets.token_hex(6)}"
    async with AsyncMongoClient[dict[str, Any]](servers.mongodb, tz_aware=True) as client:
        yield Database(client, name)
        await client.drop_database(name)
