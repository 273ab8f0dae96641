"""Metrics as scrapers read them: Prometheus's text format, or OpenMetrics if the scraper prefers it.

OpenMetrics alone can carry exemplars. What a scraper gets depends on the q-values of Accept (RFC 9110, section 12.5.1);
Prometheus sends several versions of both formats. Without a usable format in Accept it gets the text format.
"""

from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

TEXT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_OPENMETRICS: Final = b"application/openmetrics-text"
_TEXT: Final = (b"text/plain", b"text/*", b"*/*")
_VERSIONS: Final = (b"1.0.0", b"")

# A header of this size names more types than any scraper knows.
MAX_ACCEPT_BYTES: Final = 2_000


class Exposition(NamedTuple):
    """What a scraper reads."""

    content_type: str
    text: bytes


def exposition(registry: CollectorRegistry, accept: bytes) -> Exposition:
    """All metrics, in the format that the Accept header prefers."""
    if prefers_openmetrics(accept):
        return Exposition(OPENMETRICS_TYPE, generate_openmetrics(registry))  # type: ignore[no-untyped-call]  # it has no types
    return Exposition(TEXT_TYPE, generate_latest(registry))


def prefers_openmetrics(accept: bytes) -> bool:
    """Whether OpenMetrics has a higher q-value than the text format, or the same and a name of its own."""
    openmetrics = text = 0.0
    for part in accept[:MAX_ACCEPT_BYTES].lower().split(b","):
        name, *parameters = (one.strip() for one in part.split(b";"))
        by_name = {one.partition(b"=")[0].strip(): one.partition(b"=")[2].strip() for one in parameters}
        weight = _weight(by_name.get(b"q", b"1"))
        if name == _OPENMETRICS and by_name.get(b"version", b"") in _VERSIONS:
            openmetrics = max(openmetrics, weight)
        elif name in _TEXT:
            text = max(text, weight)
    return openmetrics > 0 and openmetrics >= text


def _weight(q: bytes) -> float:
    """0 for what is no q-value."""
    try:
        weight = float(q)
    except ValueError:
        return 0
    return weight if 0 <= weight <= 1 else 0
