"""Dashboard Overview: whether all is well, for whoever looks first."""

from typing import Final

from ops.dashboards.grafana import RED, YELLOW, Dashboard, Panel, Query, Row, datasource_variable

_WELL: Final = Row(
    "Is all well?",
    (
        Panel(
            "Records that do not add up",
            (Query("max(abs(tallymill_balance_difference))"),),
            "accepted - applied - duplicate - refused - dead - gaps - in flight. Anything but 0 is a broken promise.",
            kind="stat",
            width=4,
            height=4,
            steps=((1, RED),),
            decimals=0,
        ),
        Panel(
            "Alerts",
            (Query('count(ALERTS{alertstate="firing"}) or vector(0)'),),
            "Alerts that fire now. docs/operations.md has a section for each.",
            kind="stat",
            width=4,
            height=4,
            steps=((1, RED),),
            decimals=0,
        ),
        Panel(
            "Stopped partitions",
            (Query("sum(max by (api, partition) (tallymill_partition_stopped))"),),
            "Partitions that wait for an operator.",
            kind="stat",
            width=4,
            height=4,
            steps=((1, RED),),
            decimals=0,
        ),
        Panel(
            "Oldest record that is not counted",
            (Query("max(tallymill_partition_lag_seconds)"),),
            "Its age. The ingress refuses records of a partition past limits.max_lag_seconds.",
            kind="stat",
            unit="s",
            width=4,
            height=4,
            steps=((60, YELLOW), (1_800, RED)),
            decimals=1,
        ),
        Panel(
            "Since the canary's last success",
            (Query("time() - max(tallymill_canary_last_success_timestamp_seconds)"),),
            "The canary sends a batch every ten seconds and checks that it counts exactly once.",
            kind="stat",
            unit="s",
            width=4,
            height=4,
            steps=((60, YELLOW), (120, RED)),
            decimals=0,
        ),
        Panel(
            "Since the last successful verify",
            (Query("time() - max(tallymill_verify_last_success_timestamp_seconds)"),),
            "`tallymill verify` recounts everything from Kafka. Empty: never run, or the last one found a difference.",
            kind="stat",
            unit="s",
            width=4,
            height=4,
            steps=((100_000, YELLOW), (172_800, RED)),
            decimals=0,
        ),
    ),
)

_TRAFFIC: Final = Row(
    "Traffic",
    (
        Panel(
            "Accepted a second",
            (Query("sum by (api) (rate(tallymill_ingress_publish_seconds_count[$__rate_interval]))", "{{api}}"),),
            "Records that Kafka has acknowledged to the ingresses.",
            unit="ops",
        ),
        Panel(
            "Counted a second",
            (Query("sum by (api, fate) (rate(tallymill_worker_records_total[$__rate_interval]))", "{{api}} {{fate}}"),),
            "Records that the workers have applied, by fate. A duplicate changes no count.",
            unit="ops",
        ),
        Panel(
            "Refused a second",
            (
                Query(
                    "topk(8, sum by (api, cause) (rate(tallymill_ingress_refused_total[$__rate_interval])))",
                    "{{api}} {{cause}}",
                ),
            ),
            "What clients were told not to count, by cause: the eight most frequent.",
            unit="ops",
        ),
        Panel(
            "Time until visible",
            (
                Query(
                    "histogram_quantile(0.5, sum by (api, le) "
                    "(rate(tallymill_worker_accepted_to_visible_seconds_bucket[$__rate_interval])))",
                    "{{api}} p50",
                ),
                Query(
                    "histogram_quantile(0.99, sum by (api, le) "
                    "(rate(tallymill_worker_accepted_to_visible_seconds_bucket[$__rate_interval])))",
                    "{{api}} p99",
                ),
                Query(
                    "histogram_quantile(0.99, sum by (le) (rate(tallymill_canary_visible_seconds_bucket[10m])))",
                    "canary p99",
                ),
            ),
            "Seconds from the arrival of a batch at the ingress until its counts are visible in MongoDB. The canary's "
            "time begins at the client and includes all tries.",
            unit="s",
        ),
        Panel(
            "Lag",
            (Query("max by (api) (tallymill_partition_lag_seconds)", "{{api}}"),),
            "Age of the oldest record that is not counted, of the partition that is furthest behind.",
            unit="s",
        ),
        Panel(
            "Dead letters",
            (Query("max by (api) (tallymill_dead_letters_open)", "{{api}}"),),
            "Records that could not be read or stored, and were not produced again.",
        ),
    ),
)

_BALANCE: Final = Row(
    "Balance",
    (
        Panel(
            "Records by fate",
            (Query("max by (api, fate) (tallymill_batches)", "records"),),
            "Of the present lineage. accepted is the sum of the others.",
            kind="table",
            width=8,
        ),
        Panel(
            "The canary's batches a minute",
            (Query("60 * sum by (outcome) (rate(tallymill_canary_batches_total[$__rate_interval]))", "{{outcome}}"),),
            "counted is right. miscounted: the total did not grow by exactly 1.",
        ),
        Panel(
            "Least time until Kafka removes a record that is not counted",
            (Query("min by (api) (tallymill_retention_headroom_seconds)", "{{api}}"),),
            "The retention less the age of the oldest record that is not counted.",
            unit="s",
        ),
    ),
)

OVERVIEW: Final = Dashboard(
    "tallymill-overview",
    "tallymill / Overview",
    "Whether every accepted event is counted exactly once, and how soon.",
    (_WELL, _TRAFFIC, _BALANCE),
    (datasource_variable(),),
)
