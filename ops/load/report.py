"""The report of a load."""

import math
from collections.abc import Sequence
from typing import Any

from ops.load.plan import LoadOptions, S
from ops.load.send import Outcomes

MOST_REASONS = 5
PERCENTILES = (50, 95, 99, 99.9)


def percentiles_millis(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99, p99.9 and the maximum, in ms (nearest rank); empty without values."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    ranks = {f"p{p:g}": ordered[math.ceil(len(ordered) * p / 100) - 1] for p in PERCENTILES}
    return {name: round(value * 1000, 1) for name, value in (ranks | {"max": ordered[-1]}).items()}


def nothing_accepted(outcomes: Outcomes[S]) -> str:
    """Why there are no sums to check: the most frequent reasons. Empty where anything was accepted."""
    if outcomes.answered:
        return ""
    refusals = outcomes.refusals
    texts = {cause: ": ".join(filter(None, (cause, refusals.messages.get(cause)))) for cause in refusals.counts}
    reasons = {texts[cause]: count for cause, count in refusals.counts.items()} | outcomes.tries.failures
    most = sorted(reasons.items(), key=lambda one: -one[1])[:MOST_REASONS]
    return "nothing was accepted: " + ("; ".join(f"{why} ({n} times)" for why, n in most) or "nothing was sent")


def report(
    options: LoadOptions, app: str, outcomes: Outcomes[S], waited: float, problems: Sequence[str]
) -> dict[str, Any]:
    """Everything a load found, as plain data."""
    sums = "right to the unit" if outcomes.answered else "not checked: nothing was accepted"
    return {
        "app": app,
        "rate": options.rate,
        "seconds": options.seconds,
        "requests": outcomes.requests,
        "accepted": len(outcomes.answered),
        "duplicates_sent": outcomes.repeats,
        "already_updated": outcomes.already_updated,
        "refused": outcomes.refusals.counts,
        "unknown": len(outcomes.unknown),
        "retries": outcomes.tries.retries,
        "failed_tries": outcomes.tries.failures,
        "latency_ms": percentiles_millis(outcomes.delays.latencies_seconds),
        "accepted_to_visible_ms": percentiles_millis(outcomes.delays.visible_seconds),
        "answered_before_visible": outcomes.delays.not_yet_visible,
        "seconds_until_all_visible": round(waited, 1),
        "sums": "WRONG" if problems else sums,
        "nothing_accepted": nothing_accepted(outcomes),
        "differences": list(problems[:20]),
    }


def as_text(found: dict[str, Any]) -> str:
    """One line a figure."""
    lines = []
    for name, value in found.items():
        shown = "  ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        if shown not in ("", []):
            lines.append(f"{name.replace('_', ' '):<26}{shown}")
    return "\n".join(lines)
