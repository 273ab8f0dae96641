"""The bytes that wait for Kafka are shared: no player and no app fills the buffer for the others."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from ingress.delivery.publish import KafkaPublisher, PublishLimits
from ingress.ports import Unavailable
from schemas.settings import KafkaSettings
from serving.kafka.watch import KafkaWatch
from serving.outage import Outage
from tests.patience import PATIENCE_SECONDS

MIB = 1 << 20


class SilentProducer:
    """Takes everything; Kafka answers nothing."""

    def __init__(self) -> None:
        self.sent: list[asyncio.Future[Any]] = []

    async def send(self, _topic: str, **_record: object) -> "asyncio.Future[Any]":
        self.sent.append(asyncio.get_running_loop().create_future())
        return self.sent[-1]


def silent() -> tuple[KafkaPublisher, SilentProducer]:
    kafka, limits = KafkaSettings(), PublishLimits(PATIENCE_SECONDS, MIB, MIB)
    publisher, producer = KafkaPublisher(kafka, limits, KafkaWatch(kafka, Outage("kafka"))), SilentProducer()
    publisher._producer = producer
    return publisher, producer


async def settled() -> None:
    """Each request has done all it can without Kafka."""
    for _ in range(10):
        await asyncio.sleep(0)


async def flooded(publisher: KafkaPublisher, keys: list[bytes]) -> list["asyncio.Task[Any]"]:
    """Records of 10 KB, one of each key after the other, far more than fit."""
    tasks = [asyncio.create_task(publisher.publish(keys[n % len(keys)], [], b"x" * 10_000)) for n in range(500)]
    await settled()
    return tasks


async def taken(publisher: KafkaPublisher, key: bytes) -> bool:
    """Whether a record still finds room."""
    publishing = asyncio.create_task(publisher.publish(key, [], b"y" * 10_000))
    await settled()
    waits = not publishing.done()
    publishing.cancel()
    [result] = await asyncio.gather(publishing, return_exceptions=True)
    assert waits or isinstance(result, Unavailable)
    return waits


@pytest.mark.parametrize(
    ("flood", "same", "others"),
    [
        ([b"demo/ann"], b"demo/ann", [b"demo/bob", b"other/ann", b"demo/~1"]),
        ([b"demo/~%d" % n for n in range(50)], b"demo/~99", [b"demo/bob", b"other/ann"]),
        ([b"demo/p%d" % n for n in range(50)], b"demo/p0", [b"other/ann", b"another/~1"]),
    ],
    ids=["a player", "anonymous actors", "an app"],
)
async def test_a_flood_leaves_room_for_the_others(flood: list[bytes], same: bytes, others: list[bytes]) -> None:
    """Kafka doesn't answer. The flooding sender is refused, others wait for Kafka as usual. All shares are returned."""
    publisher, producer = silent()
    tasks = await flooded(publisher, flood)
    assert any(task.done() for task in tasks)
    assert not await taken(publisher, same)
    for other in others:
        assert await taken(publisher, other)
    for sent in producer.sent:
        sent.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert 0 == publisher.waiting_bytes


async def test_a_record_that_is_too_large_is_a_bug_and_costs_no_producer() -> None:
    """Each size was checked before. To send it again would not help, and all others would have to."""
    publisher, producer = silent()

    async def refuses(_topic: str, **_record: object) -> "asyncio.Future[Any]":
        raise MessageSizeTooLargeError("too large")

    producer.send = refuses  # type: ignore[method-assign]
    with pytest.raises(MessageSizeTooLargeError):
        await publisher.publish(b"demo/ann", [], b"x")
    assert producer is publisher._producer
    assert 0 == publisher.waiting_bytes
