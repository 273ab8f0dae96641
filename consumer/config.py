"""The settings of a worker process."""

from typing import Annotated

from pydantic import Field

from schemas.settings import APIS, MIB, Api, KafkaSettings, LimitSettings, MongoSettings, Section, SigningSettings


class WorkerSettings(Section):
    apis: Annotated[tuple[Api, ...], Field(min_length=1)] = APIS
    """The APIs whose topics this worker reads: `games`, `analytics`, or both. The limits below apply to each."""
    metrics_host: str = "127.0.0.1"
    """Address of /metrics, /livez and /readyz."""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9400
    """Port of /metrics, /livez and /readyz; 0 chooses a free one."""
    linger_seconds: Annotated[float, Field(ge=0, le=5)] = 0.01
    """How long an idle partition collects records after the first one before it flushes."""
    max_flush_records: Annotated[int, Field(ge=1, le=50_000)] = 2_000
    """Largest number of batches, or of items of pools, in one flush, which is one MongoDB transaction. A pool is never
    split."""
    max_flush_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 8 * MIB
    """Largest number of bytes in one flush: of each record its size in Kafka, or what MongoDB stores of it if that is
    more. MongoDB holds a transaction in its cache."""
    max_buffer_bytes: Annotated[int, Field(ge=MIB)] = 16 * MIB
    """Bytes read from Kafka and not applied yet at which the worker stops fetching. Bounds its memory."""
    max_fetch_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 2 * MIB
    """Largest number of bytes in one fetch, compressed as Kafka stores them. Unpacked they take several times as much
    memory."""
    max_partition_fetch_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 512 * 1024
    """Largest number of bytes of one partition in one fetch. A single larger record is still read."""
    session_timeout_seconds: Annotated[float, Field(ge=6, le=300)] = 6
    """How long Kafka waits for a worker's heartbeat before other workers take over its partitions. Brokers refuse less
    than 6 by default."""
    max_backoff_seconds: Annotated[float, Field(gt=0)] = 5
    """Longest pause before a failed flush is retried."""
    max_dead_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Largest share of dead letters among all records that this worker has applied. A partition whose next dead letter
    would exceed it stops. The first hundred are always allowed, and records that an ingress signed are ignored."""
    stall_seconds: Annotated[float, Field(gt=0)] = 60
    """How long a lagging partition may make no progress while Kafka and MongoDB are available, before /livez answers
    503."""
    stop_timeout_seconds: Annotated[float, Field(gt=0)] = 20
    """How long a stopping worker waits for the flushes that it has begun."""


class WorkerConfig(Section):
    """The settings of one worker process."""

    kafka: KafkaSettings
    mongodb: MongoSettings
    limits: LimitSettings
    signing: SigningSettings
    worker: WorkerSettings
