"""The message of a command that can't reach Kafka: the same in each."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from ops.config import Settings, SettingsError
from ops.connect import NotReachable, database, kafka_admin, kafka_consumer, kafka_producer
from ops.guard import guarded
from ops.local.servers.ports import any_free

Connect = Callable[[Settings], AbstractAsyncContextManager[Any]]

EVERY_CLIENT = pytest.mark.parametrize("connect", [kafka_admin, kafka_consumer, kafka_producer])


def test_an_outage_amid_a_command_is_told_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> int:
        raise KafkaConnectionError("Connection at 127.0.0.1:9092 closed")

    assert guarded(work()) == 1
    assert capsys.readouterr().err == (
        "Kafka: the connection to the broker is broken, or no broker could be reached: 127.0.0.1:9092\n"
    )


def test_a_bug_amid_a_command_keeps_its_trace() -> None:
    async def work() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded(work())


def settings(**kafka: str) -> Settings:
    return Settings.model_validate({"kafka": kafka})


@EVERY_CLIENT
async def test_an_address_where_nothing_listens_is_named(connect: Connect) -> None:
    address = f"127.0.0.1:{any_free()}"
    with pytest.raises(NotReachable, match=f"^Kafka is not reachable: {address}: connection refused$"):
        async with connect(settings(bootstrap_servers=address)):
            pass


@EVERY_CLIENT
async def test_a_file_of_certificates_that_is_not_there_is_a_setting_to_mend(connect: Connect) -> None:
    kafka = {"bootstrap_servers": "127.0.0.1:1", "security_protocol": "SSL", "ssl_cafile": "/no/such/file.pem"}
    with pytest.raises(SettingsError, match=r"kafka\.ssl_cafile: there is no file /no/such/file\.pem"):
        async with connect(settings(**kafka)):
            pass


async def test_a_mongodb_that_no_retry_mends_is_told_at_once() -> None:
    """A server without TLS: the client alone would ask it again until its time-out, and the body would wait."""

    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no TLS here")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(NotReachable, match=f"^MongoDB: {address}: "):
            async with database(Settings.model_validate({"mongodb": {"uri": f"mongodb://{address}/?tls=true"}})):
                pass
