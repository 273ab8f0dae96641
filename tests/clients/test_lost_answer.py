"""The answer is lost: the client has sent its batch, hears nothing, and sends it again with the same requestId."""

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.clients.google.client import batch, period
from tests.clients.running import System, until
from tests.clients.unlucky import Fault, Unlucky, reset
from tests.frozen import frozen
from tests.patience import PATIENCE_SECONDS

PATH = "/games/v1/events"


def sent(system: System, token: str, body: bytes) -> socket.socket:
    """A connection on which a whole request has gone out, and nothing was read."""
    host, _, port = system.url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def posted(url: str, token: str, body: bytes) -> dict[str, Any]:
    """An answer that is heard."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", PATH, body, headers)
        reply = connection.getresponse()
        answer: dict[str, Any] = json.loads(reply.read())
        assert 200 == reply.status, answer
        return answer
    finally:
        connection.close()


def heard(connection: socket.socket) -> dict[str, Any]:
    """The answer on a connection that was not cut."""
    with connection:
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        answer: dict[str, Any] = json.loads(reply.read())
        assert 200 == reply.status, answer
        return answer


def retried(body: dict[str, Any]) -> bytes:
    """The same batch, as a client sends it later: by its clock's time of then (G7)."""
    return json.dumps(body | {"currentTimeMillis": str(int(body["currentTimeMillis"]) + 1_500)}).encode()


def says_already_updated(answer: dict[str, Any], **totals: int) -> None:
    assert ["ALREADY_UPDATED"] == [failure["failureCause"] for failure in answer["batchFailures"]]
    assert totals == {event["definitionId"]: int(event["numEvents"]) for event in answer["playerEvents"]}


def test_a_client_that_hangs_up_after_sending_is_counted_once(system: System) -> None:
    """It closes at once; its retry, when the first attempt has counted, holds ALREADY_UPDATED and the totals."""
    token, body = system.token("cut-ann"), batch(11, period(LEVEL_UP=2, COIN_FOUND=7))
    sent(system, token, json.dumps(body).encode()).close()
    until(lambda: system.counted("cut-ann", 11), "the batch nobody waited for is counted")
    says_already_updated(posted(system.url, token, retried(body)), LEVEL_UP=2, COIN_FOUND=7)
    assert {"LEVEL_UP": 2, "COIN_FOUND": 7} == system.totals("cut-ann")


def test_totals_of_the_retry_are_those_of_now(system: System) -> None:
    """Not those of the attempt: another batch has counted since."""
    token, body = system.token("cut-bea"), batch(21, period(LEVEL_UP=2))
    sent(system, token, json.dumps(body).encode()).close()
    until(lambda: system.counted("cut-bea", 21), "the batch nobody waited for is counted")
    posted(system.url, token, json.dumps(batch(22, period(LEVEL_UP=40))).encode())
    says_already_updated(posted(system.url, token, retried(body)), LEVEL_UP=42)
    assert {"LEVEL_UP": 42} == system.totals("cut-bea")


@asynccontextmanager
async def log_of(system: System) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Waits until so many more records have come into the topic."""
    kafka = system.settings.kafka
    partitions = [TopicPartition(kafka.records_topic, number) for number in range(kafka.partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:

        async def count() -> int:
            return sum((await consumer.end_offsets(partitions)).values())

        async def more(records: int) -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await count() < before + records:  # noqa: ASYNC110 Kafka has no event
                    await asyncio.sleep(0.02)

        before = await count()
        yield more


async def test_a_reset_between_the_ack_and_the_count_is_counted_once(system: System) -> None:
    """Kafka has the batch, no worker has counted it. The retry is behind it in the log, and is dropped."""
    token, body = system.token("cut-cid"), batch(31, period(ROUND_WON=3))
    async with log_of(system) as published:
        with frozen(system.worker.pid):
            connection = sent(system, token, json.dumps(body).encode())
            await published(1)
            reset(connection)
            retry = sent(system, token, retried(body))
            await published(2)
            assert not system.counted("cut-cid", 31)
    says_already_updated(heard(retry), ROUND_WON=3)
    assert {"ROUND_WON": 3} == system.totals("cut-cid")


def test_an_answer_lost_on_its_way_back_is_had_by_a_retry(system: System, unlucky: Unlucky) -> None:
    """A proxy dies between the ingress, which has answered, and the client, which is reset; then again."""
    token, body = system.token("cut-dan"), batch(41, period(LEVEL_UP=1, ROUND_WON=9))
    unlucky.faults += [Fault.CUT, Fault.CUT]
    for attempt in (json.dumps(body).encode(), retried(body)):
        with pytest.raises(ConnectionResetError):
            posted(unlucky.url, token, attempt)
    says_already_updated(posted(unlucky.url, token, retried(body)), LEVEL_UP=1, ROUND_WON=9)
    assert {"LEVEL_UP": 1, "ROUND_WON": 9} == system.totals("cut-dan")


def test_attempts_at_the_same_time_count_once(system: System) -> None:
    """A client that doesn't wait until its first attempt fails. One of the answers shows that it counted."""
    token, body = system.token("cut-eva"), json.dumps(batch(51, period(COIN_FOUND=5))).encode()
    connections = [sent(system, token, body) for _ in range(4)]
    answers = [heard(connection) for connection in connections]
    assert [0, 1, 1, 1] == sorted(len(answer["batchFailures"]) for answer in answers)
    assert {"5"} == {answer["playerEvents"][0]["numEvents"] for answer in answers}
    assert {"COIN_FOUND": 5} == system.totals("cut-eva")
