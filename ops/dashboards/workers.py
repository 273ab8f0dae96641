"""Dashboard Workers and partitions: who counts what, how fast, and what is left."""

from typing import Final

from ops.dashboards.grafana import RED, YELLOW, Dashboard, Panel, Query, Row, choice, datasource_variable
from ops.dashboards.process import process_row

_A: Final = 'api=~"$api"'
_AI: Final = 'api=~"$api", instance=~"$instance"'

_PARTITIONS: Final = Row(
    "Partitions, as the observer in the console sees them",
    (
        Panel(
            "Partitions without a worker",
            (Query(f"count(max by (api, partition) (tallymill_partition_owned{{{_A}}}) == 0) or vector(0)"),),
            "The consumer group has given them to no worker.",
            kind="stat",
            width=6,
            height=4,
            steps=((1, RED),),
            decimals=0,
        ),
        Panel(
            "Stopped partitions",
            (Query(f"sum(max by (api, partition) (tallymill_partition_stopped{{{_A}}}))"),),
            "They wait for an operator.",
            kind="stat",
            width=6,
            height=4,
            steps=((1, RED),),
            decimals=0,
        ),
        Panel(
            "Records that wait",
            (Query(f"sum(max by (api, partition) (tallymill_partition_lag_records{{{_A}}}))"),),
            "Accepted and not counted, of all partitions.",
            kind="stat",
            width=6,
            height=4,
            decimals=0,
        ),
        Panel(
            "Least time until Kafka removes a record that is not counted",
            (Query(f"min(tallymill_retention_headroom_seconds{{{_A}}})"),),
            "The retention less the age of the oldest record that is not counted.",
            kind="stat",
            unit="s",
            width=6,
            height=4,
        ),
        Panel(
            "Lag in seconds",
            (Query(f"max by (api, partition) (tallymill_partition_lag_seconds{{{_A}}})", "{{api}} {{partition}}"),),
            "Age of the oldest record of each partition that is not counted.",
            unit="s",
            width=12,
            steps=((60, YELLOW),),
        ),
        Panel(
            "Lag in records",
            (Query(f"max by (api, partition) (tallymill_partition_lag_records{{{_A}}})", "{{api}} {{partition}}"),),
            "Records of each partition that are accepted and not counted.",
            width=12,
        ),
        Panel(
            "Partitions",
            (
                Query(f"max by (api, partition) (tallymill_partition_owned{{{_A}}})", "has a worker"),
                Query(f"max by (api, partition) (tallymill_partition_stopped{{{_A}}})", "stopped"),
                Query(f"max by (api, partition) (tallymill_partition_lag_records{{{_A}}})", "records that wait"),
                Query(
                    f"time() - max by (api, partition) (tallymill_partition_last_flush_timestamp_seconds{{{_A}}})",
                    "seconds since the last flush",
                ),
                Query(
                    f"min by (api, partition) (tallymill_retention_headroom_seconds{{{_A}}})",
                    "seconds until Kafka removes a record",
                ),
            ),
            "1 is yes, 0 is no. A partition that was never flushed has no time of a flush. The console names the "
            "owners.",
            kind="table",
            width=24,
            height=10,
        ),
    ),
)

_FLUSHES: Final = Row(
    "Flushes",
    (
        Panel(
            "Counted a second",
            (
                Query(
                    f"sum by (api, fate) (rate(tallymill_worker_records_total{{{_AI}}}[$__rate_interval]))",
                    "{{api}} {{fate}}",
                ),
            ),
            "Records by fate.",
            unit="ops",
        ),
        Panel(
            "Records in a flush",
            (
                Query(
                    f"sum by (api) (rate(tallymill_worker_flush_records_sum{{{_AI}}}[$__rate_interval])) "
                    f"/ sum by (api) (rate(tallymill_worker_flush_records_count{{{_AI}}}[$__rate_interval]))",
                    "{{api}}",
                ),
            ),
            "The mean. Small when idle, large under load, at most worker.max_flush_records.",
        ),
        Panel(
            "Where the time of flushes goes",
            (
                Query(
                    f"sum by (step) (rate(tallymill_worker_flush_step_seconds_sum{{{_AI}}}[$__rate_interval]))",
                    "{{step}}",
                ),
            ),
            "Seconds a second in each step, of all workers. write and commit wait for MongoDB.",
            unit="s",
        ),
        Panel(
            "Time of a step, p99",
            (
                Query(
                    "histogram_quantile(0.99, sum by (step, le) "
                    f"(rate(tallymill_worker_flush_step_seconds_bucket{{{_AI}}}[$__rate_interval])))",
                    "{{step}}",
                ),
            ),
            "Of one flush.",
            unit="s",
        ),
        Panel(
            "Flushes that wrote nothing",
            (
                Query(
                    f"sum by (api, cause) (increase(tallymill_worker_flushes_failed_total{{{_AI}}}[$__rate_interval]))",
                    "{{api}} {{cause}}",
                ),
            ),
            "moved: another worker or an earlier attempt had applied the records.",
        ),
        Panel(
            "Time until visible, p99",
            (
                Query(
                    "histogram_quantile(0.99, sum by (api, le) "
                    f"(rate(tallymill_worker_accepted_to_visible_seconds_bucket{{{_AI}}}[$__rate_interval])))",
                    "{{api}}",
                ),
            ),
            "From the arrival at the ingress.",
            unit="s",
        ),
    ),
)

_READING: Final = Row(
    "Reading",
    (
        Panel(
            "Servers that can be used",
            (
                Query(
                    'min by (instance, dependency) (tallymill_worker_dependency_up{instance=~"$instance"})',
                    "{{instance}} {{dependency}}",
                ),
            ),
            "1 while the worker can use the server. The log has the reason of each outage.",
            width=6,
        ),
        Panel(
            "Records read and not applied",
            (Query(f"sum by (instance, api) (tallymill_worker_buffered_bytes{{{_AI}}})", "{{instance}} {{api}}"),),
            "Bytes. A worker stops fetching at worker.max_buffer_bytes.",
            unit="bytes",
            width=6,
        ),
        Panel(
            "Rebalances",
            (Query(f"sum by (api) (increase(tallymill_worker_rebalances_total{{{_AI}}}[15m]))", "{{api}}"),),
            "Of all workers, in 15 minutes. A deployment makes a few.",
            width=6,
        ),
        Panel(
            "Requests to Kafka that failed",
            (Query(f"sum by (api) (rate(tallymill_worker_fetch_errors_total{{{_AI}}}[$__rate_interval]))", "{{api}}"),),
            "Fetches, topic metadata and offset commits, a second.",
            unit="ops",
            width=6,
        ),
    ),
)

WORKERS: Final = Dashboard(
    "tallymill-workers",
    "tallymill / Workers and partitions",
    "Every partition and its lag, the steps of a flush, and the worker processes.",
    (_PARTITIONS, _FLUSHES, _READING, process_row("tallymill-worker")),
    (
        datasource_variable(),
        choice("api", "API", "tallymill_batches"),
        choice("instance", "Worker", "tallymill_worker_last_progress_timestamp_seconds"),
    ),
)
