"""Batches of Kafka written by hand: what no client library would send, and any producer on the network may."""

from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from tests.soak.acts import Produce, RawRecord, Transact

CODECS = {"none": 0, "gzip": 1, "lz4": 3, "zstd": 4}
MAGIC = 2
NO_PRODUCER = -1
# One batch an act: nothing of it may be left to the next.
ANY_SIZE = 1 << 30
# The least that the broker's cleanup makes of a transaction that is never ended is some ten seconds.
TRANSACTION_MILLIS = 10_000


class _Name(bytes):
    """A header's name in raw bytes, with the methods of str that the library calls."""

    def encode(self, _encoding: str) -> bytes:
        return bytes(self)


def batch_of(producer: AIOKafkaProducer, produced: Produce) -> Any:  # noqa: ANN401 the library has no types
    """A batch that the producer will send as it is."""
    builder = _DefaultRecordBatchBuilderPy(
        MAGIC, CODECS[produced.compression], 0, NO_PRODUCER, NO_PRODUCER, NO_PRODUCER, ANY_SIZE
    )
    for number, record in enumerate(produced.records):
        headers: Any = [(_Name(name), value) for name, value in record.headers]
        builder.append(number, record.timestamp_millis, record.key, record.value, headers)
    batch = producer.create_batch()
    batch._builder = builder
    batch._relative_offset = len(produced.records)
    batch.close()
    return batch


class Producers:
    """One plain producer, and one for transactions, which come one after the other."""

    def __init__(self, bootstrap_servers: str, topics: dict[str, str]) -> None:
        self._topics = topics
        self._plain = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", max_request_size=ANY_SIZE)
        self._bootstrap_servers = bootstrap_servers
        self._transactional = self._of_transactions()

    def _of_transactions(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            transactional_id="soak",
            transaction_timeout_ms=TRANSACTION_MILLIS,
        )

    async def start(self) -> None:
        await self._plain.start()
        await self._transactional.start()

    async def begin_anew(self) -> None:
        """After a failure: the same id on a new producer ends at once what the old one has left open."""
        await self._transactional.stop()
        self._transactional = self._of_transactions()
        await self._transactional.start()

    async def produce(self, produced: Produce) -> None:
        topic = self._topics[produced.api]
        sent = await self._plain.send_batch(batch_of(self._plain, produced), topic, partition=produced.partition)
        await sent

    async def begin(self, act: Transact) -> None:
        """A transaction with everything in it, still open."""
        await self._transactional.begin_transaction()
        for produced in act.produced:
            for record in produced.records:
                await self._send(produced, record)
        await self._transactional.flush()

    async def end(self, act: Transact) -> None:
        if act.ending == "commit":
            await self._transactional.commit_transaction()
        else:
            await self._transactional.abort_transaction()

    async def _send(self, produced: Produce, record: RawRecord) -> None:
        headers = [(name.decode(errors="replace"), value) for name, value in record.headers]
        await self._transactional.send(
            self._topics[produced.api],
            record.value or b"",  # the library sends no record that has neither key nor value
            key=record.key,
            partition=produced.partition,
            timestamp_ms=record.timestamp_millis,
            headers=headers,
        )
