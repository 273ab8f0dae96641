"""The parts of the documentation that the code itself says: the settings table of README.md, docs/metrics.md.

python -m ops.reference         writes them anew; a test compares
"""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from console.metrics import COUNTS
from console.metrics import Metrics as ConsoleMetrics
from consumer.metrics import WorkerMetrics
from ingress.metrics import Metrics as IngressMetrics
from ops.config import Settings, variable_of

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
METRICS_PAGE = ROOT / "docs" / "metrics.md"
BEGIN, END = "<!-- settings: written by python -m ops.reference -->", "<!-- end of settings -->"


def settings_table() -> str:
    """Every setting: its name in a TOML file, default, meaning. In the environment: TALLYMILL_KAFKA__GROUP."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for section, model in _sections():
        for name, field in model.model_fields.items():
            default = "" if field.default is None or field.default is PydanticUndefined else f"`{field.default}`"
            lines.append(f"| `{section}.{name}` | {default} | {' '.join((field.description or '').split())} |")
    return "\n".join(lines)


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield section, field.annotation


def readme_with(table: str, readme: str) -> str:
    """The README with this table between its marks."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


def metrics_page() -> str:
    """Every metric of ingress, worker and console."""
    worker = WorkerMetrics()
    worker.lag("games", 0, 0, 0.0)
    worker.uncommitted("games", 0, 0)
    worker.unread("games", {0: 1})
    ingress = IngressMetrics()
    ingress.watch(
        ready=lambda: True,
        buffer_bytes=lambda: 0,
        body_bytes=lambda: 0,
        waiting=lambda: 0,
        waiting_bodies=lambda: 0,
        lag_seconds=lambda: 0.0,
    )
    ingress.tokens.watch_keys(lambda: 0.0)
    ingress.watch_clock("kafka", lambda: 0.0)
    ingress.answered("other", 200)
    console = ConsoleMetrics()
    console.watch(ready=lambda: True, queries=lambda: 0)
    console.tokens.watch_keys(lambda: 0.0)
    console.answered(COUNTS, 200)
    console.queried(COUNTS, 0.0)
    console.read(COUNTS, 0)
    return "\n".join(
        [
            "# Metrics",
            "",
            "Prometheus text format. Each process has a port of its own: ingress and console at their addresses, a",
            f"worker at `{variable_of('worker.metrics_port')}`. Labels come from closed sets, never from a client.",
            "",
            *_table("Ingress (`/metrics`)", ingress.registry),
            "",
            *_table("Worker (`/metrics`)", worker.registry),
            "",
            *_table("Console (`/metrics`)", console.registry),
            "",
        ]
    )


def _table(title: str, registry: CollectorRegistry) -> Iterator[str]:
    yield from (f"## {title}", "", "| metric | type | labels | meaning |", "|---|---|---|---|")
    for metric in registry.collect():
        if not metric.name.endswith("_created"):
            yield f"| `{_exposed_name(metric)}` | {metric.type} | {_labels(metric)} | {metric.documentation} |"


def _exposed_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _labels(metric: Metric) -> str:
    return ", ".join(sorted({name for sample in metric.samples for name in sample.labels} - {"le"}))


def write() -> None:
    """Write both anew."""
    README.write_text(readme_with(settings_table(), README.read_text()))
    METRICS_PAGE.write_text(metrics_page())


if __name__ == "__main__":
    write()
