"""What `tallymill status` prints for people. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from console.observer.snapshot import TopicNow, instant
from ops.local.status.health import Health, ProcessNow
from ops.local.status.traffic import worst_of
from schemas.documents import FATES


def status_text(supervisor: int, health: Health) -> str:
    """Lost records first, then whether all works and what does not, then each process and each topic."""
    first = f"{health.phase} (supervisor {supervisor})"
    others = [f"! {one}" for one in health.problems if one not in health.lost]
    processes = [process_line(one) for one in health.processes]
    return "\n".join([*health.lost, first, *others, *processes, *topic_lines(health)])


def process_line(one: ProcessNow) -> str:
    """Whether it works, its id, since when, how often it was started again, its address, and what is missing."""
    pid = "" if one.pid is None else f"pid {one.pid}"
    since = instant(one.run.since_millis) if one.run else None
    shown = f"since {since[:19]}Z" if since else ""
    restarts = one.run.restarts if one.run else 0
    again = f"{restarts} {'restart' if restarts == 1 else 'restarts'}" if restarts else ""
    columns = (f"{one.name:<10}", f"{one.said:<9}", f"{pid:<11}", f"{shown:<26}", f"{again:<10}", one.address)
    return ("  " + "  ".join((*columns, one.detail))).rstrip()


def topic_lines(health: Health) -> Iterator[str]:
    """Three lines a topic: rates and lag, the worst partition if one lags, the balance."""
    balances = health.balance["balance"]
    topics = {one.topic: one for one in health.traffic.topics}
    if not topics:
        yield f"rates and lag unknown: {health.traffic.why}"
    for name in sorted({*topics, *(balances or {})}):
        if topic := topics.get(name):
            yield f"{name} ({topic.api}): {_rates(topic)}"
            yield from _worst(topic)
        else:
            yield f"{name}:"
        if balances is not None and name in balances:
            yield f"  balance: {balance_text(balances[name])}"
    if topics and health.traffic.why:
        yield f"lag unknown: {health.traffic.why}"
    if balances is None:
        yield f"balance unknown: {health.balance['balance_why']}"


def _rates(topic: TopicNow) -> str:
    rates = [
        f"{'unknown' if rate is None else f'{rate:.1f}'} {name}/s"
        for name, rate in (("accepted", topic.accepted_per_second), ("counted", topic.counted_per_second))
    ]
    return f"{', '.join(rates)}, lag {_lag(topic.lag_records, topic.lag_seconds)}"


def _lag(records: int | None, seconds: float | None) -> str:
    if records is None:
        return "unknown"
    if not records:
        return "0 records"
    return f"{records} records, {'an unknown time' if seconds is None else f'{seconds:.1f} s'}"


def _worst(topic: TopicNow) -> Iterator[str]:
    if one := worst_of(topic):
        owner = f", owner {one.owner}" if one.owner else ", no owner"
        stopped = f", stopped: {one.stopped}" if one.stopped else ""
        yield f"  worst: partition {one.partition}, lag {_lag(one.lag_records, one.lag_seconds)}{owner}{stopped}"


def balance_text(found: Mapping[str, Any]) -> str:
    """The sum. One that does not add up can't be overlooked."""
    parts = [f"{found[name]} {name.replace('_', ' ')}" for name in (*FATES, "gaps", "in_flight")]
    wrong = "" if found["holds"] else " -- THIS DOES NOT ADD UP: run `tallymill verify`"
    return f"{found['accepted']} accepted = {' + '.join(parts)}{wrong}"
