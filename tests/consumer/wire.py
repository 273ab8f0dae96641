"""Record batches written by hand, as a hostile or broken producer may: any name, any offset, any bytes."""

import gzip
import struct
from collections.abc import Sequence
from typing import NamedTuple

import cramjam
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
APPEND_TIME = 0x08
_HEAD = struct.Struct(">qiibIhiqqqhii")
_CRC_FROM = 21
TIME = 1_790_000_070_000


class Wire(NamedTuple):
    """One record; `delta` None: the next offset."""

    key: bytes | None = None
    value: bytes | None = b""
    headers: Sequence[tuple[bytes | None, bytes | None]] = ()
    delta: int | None = None


def varint(number: int) -> bytes:
    left, out = (number << 1) ^ (number >> 63), bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def field(value: bytes | None) -> bytes:
    return varint(-1) if value is None else varint(len(value)) + value


def record_bytes(record: Wire, delta: int) -> bytes:
    headers = b"".join(field(name) + field(value) for name, value in record.headers)
    body = b"\0" + varint(0) + varint(delta) + field(record.key) + field(record.value)
    body += varint(len(record.headers)) + headers
    return varint(len(body)) + body


def packed(codec: int, plain: bytes) -> bytes:
    if codec == GZIP:
        return gzip.compress(plain)
    if codec == SNAPPY:
        return bytes(cramjam.snappy.compress_raw(plain))
    if codec == LZ4:
        compressor = cramjam.lz4.Compressor(level=1, content_checksum=False, block_linked=False)
        compressor.compress(plain)
        return bytes(compressor.finish())
    return bytes(cramjam.zstd.compress(plain)) if codec == ZSTD else plain


def batch_bytes(records: Sequence[Wire], codec: int = 0, base: int = 0, attributes: int = 0) -> bytes:
    plain = b"".join(record_bytes(one, i if one.delta is None else one.delta) for i, one in enumerate(records))
    return with_payload(packed(codec, plain), len(records), codec | attributes, base)


def with_payload(payload: bytes, count: int, attributes: int = 0, base: int = 0, *, magic: int = 2) -> bytes:
    """A batch with a right checksum over whatever `payload` is."""
    length = _HEAD.size - 12 + len(payload)
    raw = bytearray(_HEAD.pack(base, length, 0, magic, 0, attributes, count - 1, TIME, TIME, -1, -1, -1, count))
    raw += payload
    struct.pack_into(">I", raw, _CRC_FROM - 4, calc_crc32c(bytes(raw[_CRC_FROM:])))
    return bytes(raw)


async def produce_batch(bootstrap_servers: str, topic: str, partition: int, batch: bytes) -> str:
    """Send it as it is. Returns the broker's error by name, or ""."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        await producer.partitions_for(topic)
        client = producer.client
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        answer = await client.send(leader, ProduceRequest(None, -1, 30_000, [(topic, [(partition, batch)])]))
        ((_, ((_, code, *_rest),)),) = answer.topics
        return "" if code == 0 else for_code(code).__name__
