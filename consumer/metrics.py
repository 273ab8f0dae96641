"""The metrics of a worker: meaning, unit, and labels from closed sets. docs/metrics.md is generated from this file.

A process has one registry and one port. The series of a partition are removed when the worker loses the partition.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumer.core.plan import WritePlan
from schemas.documents import FATES, PAYLOAD_DIFFERS
from schemas.settings import APIS, Api
from serving.hot_metrics import SECONDS_BUCKETS, HotHistogram
from serving.http.connection_metrics import ConnectionMetrics
from serving.process_metrics import DependencyMetrics, process_registry

STEPS = ("read", "plan", "checkpoint", "write", "commit")

FLUSHES_FAILED = ("moved", "refused", "too_large")

# A step takes a millisecond or less where the flush is small.
STEP_BUCKETS = (0.001, 0.0025, *SECONDS_BUCKETS)
# Finer around the median than others; up to an hour, for a backlog.
VISIBLE_BUCKETS = tuple(sorted({*SECONDS_BUCKETS, 0.02, 0.03, 0.075, 0.15, 60, 300, 3600}))
RECORDS_BUCKETS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


class WorkerMetrics:
    """The metrics of one worker process, on a registry of its own."""

    def __init__(self, apis: Sequence[Api] = APIS) -> None:
        """`apis`: those that this worker reads."""
        self.registry = process_registry()
        self._declare_flushes(self.registry)
        self._declare_failures(self.registry)
        self._declare_items(self.registry)
        self._declare_reading(self.registry)
        self._declare_standing_still(self.registry)
        self.dependencies = DependencyMetrics("worker", self.registry)
        self.connections = ConnectionMetrics("worker", self.registry)
        for api in apis:
            self._declare_series(api)

    def _declare_series(self, api: Api) -> None:
        """Show what is counted before it has happened: else the first one of each would be no increase."""
        for fate in FATES:
            self.records.labels(api, fate)
        for step in STEPS:
            self.step_seconds.labels(api, step)
        for cause in FLUSHES_FAILED:
            self.flushes_failed.labels(api, cause)
        for metric in (self.gaps, self.flush_records, self.last_progress, self.bugs, self.payload_differs):
            metric.labels(api)
        for metric in (self.rebalances, self.fetch_errors, self.buffered_bytes):
            metric.labels(api)
        self.visible_seconds.of(api)

    def _declare_flushes(self, registry: CollectorRegistry) -> None:
        self.records = Counter(
            "tallymill_worker_records",
            "Records applied to MongoDB by this worker, by fate: applied, duplicate, refused, dead.",
            ("api", "fate"),
            registry=registry,
        )
        self.gaps = Counter(
            "tallymill_worker_gap_offsets",
            "Offsets without a record of a client, such as Kafka's control records, that the checkpoint moved over.",
            ("api",),
            registry=registry,
        )
        self.flush_records = Histogram(
            "tallymill_worker_flush_records",
            "Records in one flush.",
            ("api",),
            buckets=RECORDS_BUCKETS,
            registry=registry,
        )
        self.step_seconds = Histogram(
            "tallymill_worker_flush_step_seconds",
            "Seconds of one step of a flush: read, plan, checkpoint, write, commit. Includes attempts that failed.",
            ("api", "step"),
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self.visible_seconds = HotHistogram(
            "tallymill_worker_accepted_to_visible_seconds",
            "Seconds from the time the ingress received a batch until its counts are visible in MongoDB.",
            ("api",),
            registry,
            VISIBLE_BUCKETS,
        )
        self.last_progress = Gauge(
            "tallymill_worker_last_progress_timestamp_seconds",
            "Unix time of the last flush applied by this worker; 0 before the first.",
            ("api",),
            registry=registry,
        )

    def _declare_failures(self, registry: CollectorRegistry) -> None:
        self.flushes_failed = Counter(
            "tallymill_worker_flushes_failed",
            "Flushes that wrote nothing. moved: another worker or an earlier attempt had applied the records; "
            "refused: MongoDB rejected a record, so the flush is halved to find it; too_large: one transaction can't "
            "hold the flush, so it is halved.",
            ("api", "cause"),
            registry=registry,
        )
        self.bugs = Counter(
            "tallymill_worker_bugs",
            "Records that became dead letters because decoding, planning or encoding them raised an unexpected error: "
            "a bug of tallymill. The log has a line for each (*record_set_aside*).",
            ("api",),
            registry=registry,
        )

    def _declare_items(self, registry: CollectorRegistry) -> None:
        self.items = Counter(
            "tallymill_worker_items",
            "Items of AddEvent and AddEventBatch that this worker stored and counted; duplicates are not included.",
            registry=registry,
        )
        self.other_titles = Counter(
            "tallymill_worker_other_title_items",
            "Items counted as `(other)` because their app, its anonymous sessions or their player reached the limit of "
            "titles.",
            registry=registry,
        )
        self.payload_differs = Counter(
            "tallymill_worker_payload_differs",
            "Records whose requestId was used before with another payload: a bug of the client. What differs is not "
            "counted.",
            ("api",),
            registry=registry,
        )

    def _declare_reading(self, registry: CollectorRegistry) -> None:
        self.lag_records = Gauge(
            "tallymill_worker_lag_records",
            "Records of a partition of this worker that wait to be applied; missing while the partition's end is "
            "unknown.",
            ("api", "partition"),
            registry=registry,
        )
        self.lag_seconds = Gauge(
            "tallymill_worker_lag_seconds",
            "Age of the oldest record of a partition that waits to be applied; 0 if none waits.",
            ("api", "partition"),
            registry=registry,
        )
        self.uncommitted_offsets = Gauge(
            "tallymill_worker_uncommitted_offsets",
            "Offsets of a partition behind an open transaction of a producer, so that they can't be read yet; missing "
            "while the partition's end is unknown.",
            ("api", "partition"),
            registry=registry,
        )
        self._declare_unread(registry)
        self.buffered_bytes = Gauge(
            "tallymill_worker_buffered_bytes",
            "Bytes read from Kafka and not applied yet. The worker stops fetching at worker.max_buffer_bytes.",
            ("api",),
            registry=registry,
        )
        self.rebalances = Counter(
            "tallymill_worker_rebalances",
            "Rebalances in which this worker was assigned partitions.",
            ("api",),
            registry=registry,
        )
        self.fetch_errors = Counter(
            "tallymill_worker_fetch_errors",
            "Requests to Kafka that failed: fetches, topic metadata and offset commits.",
            ("api",),
            registry=registry,
        )

    def _declare_standing_still(self, registry: CollectorRegistry) -> None:
        self.stopped = Gauge(
            "tallymill_worker_partition_stopped",
            "1 for a partition that this worker stopped reading until an operator acts. The field `stopped` of its "
            "checkpoint has the reason.",
            ("api", "partition"),
            registry=registry,
        )
        self.lost_offsets = Gauge(
            "tallymill_worker_lost_offsets",
            "Offsets of a partition that Kafka removed before they were counted, so that their records are lost. "
            "Missing if there are none.",
            ("api", "partition"),
            registry=registry,
        )

    def _declare_unread(self, registry: CollectorRegistry) -> None:
        """Of all partitions of a topic, also those of other workers."""
        self._unread: dict[Api, set[str]] = {}
        self.unread_partitions = Gauge(
            "tallymill_worker_unread_partitions",
            "Partitions of the topic that no worker reads: records wait, and no worker owns the partition or its "
            "checkpoint has not moved for 15 s. Every worker reports all of them: take the maximum, not the sum. NaN "
            "if unknown.",
            ("api",),
            registry=registry,
        )
        self.unread_records = Gauge(
            "tallymill_worker_unread_records",
            "Records that wait in a partition that no worker reads; missing for partitions that are read. Every worker "
            "reports all of them: take the maximum, not the sum.",
            ("api", "partition"),
            registry=registry,
        )

    def unread(self, api: Api, records: Mapping[int, int] | None) -> None:
        """`records`: how many wait, by partition that no worker reads; None if unknown."""
        self.unread_partitions.labels(api).set(math.nan if records is None else len(records))
        now = {str(partition): waiting for partition, waiting in (records or {}).items()}
        for partition in self._unread.get(api, set()) - now.keys():
            self.unread_records.remove_by_labels({"api": api, "partition": partition})
        for partition, waiting in now.items():
            self.unread_records.labels(api, partition).set(waiting)
        self._unread[api] = set(now)

    def step(self, api: Api, name: str, seconds: float) -> None:
        self.step_seconds.labels(api, name).observe(seconds)

    def lag(self, api: Api, partition: int, records: int, seconds: float) -> None:
        self.lag_records.labels(api, str(partition)).set(records)
        self.lag_seconds.labels(api, str(partition)).set(seconds)

    def lag_unknown(self, api: Api, partition: int) -> None:
        """Remove the lag rather than keep an old value: a partition whose broker is silent may be behind."""
        for gauge in (self.lag_records, self.lag_seconds):
            gauge.remove_by_labels({"api": api, "partition": str(partition)})

    def uncommitted(self, api: Api, partition: int, offsets: int | None) -> None:
        if offsets is None:
            self.uncommitted_offsets.remove_by_labels({"api": api, "partition": str(partition)})
        else:
            self.uncommitted_offsets.labels(api, str(partition)).set(offsets)

    def lost(self, api: Api, partition: int, offsets: int) -> None:
        if offsets:
            self.lost_offsets.labels(api, str(partition)).set(offsets)

    def forget(self, api: Api, partitions: Iterable[int]) -> None:
        """Remove the gauges of partitions that this worker lost: an old value would raise alerts for ever."""
        for partition in partitions:
            for gauge in (
                self.lag_records,
                self.lag_seconds,
                self.stopped,
                self.uncommitted_offsets,
                self.lost_offsets,
            ):
                gauge.remove_by_labels({"api": api, "partition": str(partition)})

    def applied(self, api: Api, written: WritePlan, received_millis: Sequence[int], now_millis: int) -> None:
        """Count one flush that was committed."""
        checkpoint = written.checkpoint
        for fate, count in checkpoint.fates.items():
            self.records.labels(api, fate).inc(count)
        self.gaps.labels(api).inc(checkpoint.gaps)
        self.items.inc(len(written.events.by_id))
        self.other_titles.inc(written.titles.others)
        self.payload_differs.labels(api).inc(sum(one["cause"] == PAYLOAD_DIFFERS for one in written.exceptions))
        self.flush_records.labels(api).observe(sum(checkpoint.fates.values()))
        self.last_progress.labels(api).set(now_millis / 1000)
        self.visible_seconds.of(api).observe_all([max(0, now_millis - received) / 1000 for received in received_millis])
