"""The secured servers of these tests, started once."""

import asyncio
import socket
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import pool_shared

from tests.security.kafka_servers import SecureKafka, secure_kafka
from tests.security.mongo_servers import SecuredMongo, secured_mongod


@pytest.fixture(scope="package")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMongo]:
    with secured_mongod(tmp_path_factory.mktemp("mongod")) as running:
        yield running


@pytest.fixture(scope="package")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="package", autouse=True)
def sockets_of_cancelled_connections() -> Iterator[None]:
    """Close them. pymongo leaves a socket to the garbage collector if its client is closed while it connects."""
    connect = pool_shared._async_create_connection

    async def closing(address: Any, options: Any) -> socket.socket:  # noqa: ANN401 pymongo's own
        try:
            return await connect(address, options)
        except asyncio.CancelledError as cancelled:
            for frame, _ in traceback.walk_tb(cancelled.__traceback__):
                if isinstance(found := frame.f_locals.get("sock"), socket.socket):
                    found.close()
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_shared, "_async_create_connection", closing)
        yield
