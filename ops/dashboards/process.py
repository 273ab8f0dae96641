"""The panels that every process has."""

from collections.abc import Iterator

from ops.dashboards.grafana import Panel, Query, Row


def process_row(job: str) -> Row:
    """CPU, memory and files of the processes of a job."""
    one = f'job="{job}", instance=~"$instance"'
    return Row(
        "Processes",
        (
            Panel(
                "CPU",
                (Query(f"rate(process_cpu_seconds_total{{{one}}}[$__rate_interval])", "{{instance}}"),),
                "Cores. A process uses at most one, and a little more for compression.",
            ),
            Panel(
                "Memory",
                (Query(f"process_resident_memory_bytes{{{one}}}", "{{instance}}"),),
                "Resident bytes.",
                unit="bytes",
            ),
            Panel(
                "Open files",
                (Query(f"process_open_fds{{{one}}} / process_max_fds{{{one}}}", "{{instance}}"),),
                "The share of the file descriptors that the system allows.",
                unit="percentunit",
            ),
            Panel(
                "Uptime",
                (Query(f"time() - process_start_time_seconds{{{one}}}", "{{instance}}"),),
                "A drop is a restart.",
                unit="s",
            ),
            *_python(one),
        ),
    )


def _python(one: str) -> Iterator[Panel]:
    yield Panel(
        "Garbage collections a second",
        (
            Query(
                f"sum by (instance, generation) (rate(python_gc_collections_total{{{one}}}[$__rate_interval]))",
                "{{instance}} generation {{generation}}",
            ),
        ),
        "Of Python, by generation.",
        unit="ops",
    )
    yield Panel(
        "Failures in the background",
        (
            Query(
                f"sum by (kind) (increase(tallymill_background_failures_total{{{one}}}[$__rate_interval]))",
                "{{kind}}",
            ),
        ),
        "Failures that no caller handled. bug: report it with the line in the log.",
    )
