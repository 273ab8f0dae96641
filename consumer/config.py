"""The settings of the worker: one section, and the object one worker process is given."""

from typing import Annotated

from pydantic import Field

from schemas.settings import APIS, MIB, Api, KafkaSettings, LimitSettings, MongoSettings, Section, SigningSettings


class WorkerSettings(Section):
    apis: Annotated[tuple[Api, ...], Field(min_length=1)] = APIS
    """Whose topics this worker reads: `games`, `analytics`, or both. Memory and flushes are bounded for each."""
    metrics_host: str = "127.0.0.1"
    """Address of /metrics, /livez and /readyz."""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9400
    """Port of /metrics, /livez and /readyz; 0 takes a free one."""
    linger_seconds: Annotated[float, Field(ge=0, le=5)] = 0.01
    """How long an idle partition waits for company after its first record before it flushes."""
    max_flush_records: Annotated[int, Field(ge=1, le=50_000)] = 2_000
    """Most batches, or items of pools, of one flush: what one MongoDB transaction writes. A pool is never divided."""
    max_flush_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 8 * MIB
    """Most bytes of one flush, as read from Kafka: what one MongoDB transaction has to hold in its cache."""
    max_buffer_bytes: Annotated[int, Field(ge=MIB)] = 16 * MIB
    """Bytes read from Kafka and not yet applied at which the worker stops fetching: bounds its memory."""
    max_fetch_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 2 * MIB
    """Bytes of one fetch, as Kafka keeps them (compressed). Decompressed, they take several times as much memory."""
    max_partition_fetch_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 512 * 1024
    """Bytes of one partition in one fetch; a larger record still comes, alone."""
    session_timeout_seconds: Annotated[float, Field(ge=6, le=300)] = 6
    """How long Kafka waits for a worker's heartbeat before its partitions move on. 6 is the least that brokers take
    unless told otherwise."""
    max_backoff_seconds: Annotated[float, Field(gt=0)] = 5
    """Longest pause between two tries of a flush that failed."""
    max_dead_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Dead records that no ingress has signed, of all records this worker has applied, above which a partition that
    brings more of them stops (past the first hundred)."""
    stall_seconds: Annotated[float, Field(gt=0)] = 60
    """How long a partition may be behind without progress, all servers there, before /livez says not alive."""
    stop_timeout_seconds: Annotated[float, Field(gt=0)] = 20
    """How long a stop waits for the flushes in flight."""


class WorkerConfig(Section):
    """All that one worker process needs."""

    kafka: KafkaSettings
    mongodb: MongoSettings
    limits: LimitSettings
    signing: SigningSettings
    worker: WorkerSettings
