"""Compares the clocks of this machine, Kafka and MongoDB, by the rules of the ingress (ingress/clock_watch.py)."""

import time
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ingress.clock_watch import NAMES, WARN_SECONDS, ClockWatch, Source, Stamped
from ops.config import Settings, SettingsError
from ops.connect import NotReachable, database, kafka_admin
from ops.doctor.check import Check
from schemas.documents import millis_of
from serving.kafka.client import why
from serving.kafka.quorum import QuorumRequest, controller_millis

Clock = Stamped | str
"""A server's time, or why it is not known."""

# What follows if a clock is wrong. docs/operations.md has a table of what each clock decides.
_MATTERS: Mapping[Source, str] = {
    "kafka": "Kafka's time decides how long ids are remembered and when records are removed: both are too early or too "
    "late by this difference, and a late retry may count twice",
    "mongodb": "MongoDB removes remembered ids by its clock: if it is ahead, a late retry may count twice",
}
_MEND = "set the clock ({}: `chronyc tracking`, `timedatectl`)"


async def clocks(settings: Settings) -> list[Check]:
    """A check of each clock that is known. A server that is unavailable is reported by other checks."""
    found: dict[Source, Clock] = {}
    try:
        async with kafka_admin(settings) as admin:
            found["kafka"] = await kafka_clock(admin)
    except (NotReachable, SettingsError):
        pass
    try:
        async with database(settings) as db:
            sent = _now_millis()
            hello = await db.client.admin.command("hello")
            found["mongodb"] = mongodb_clock(hello, sent, _now_millis())
    except (NotReachable, SettingsError):
        pass
    return clock_checks(found, settings.ingress.max_clock_skew_seconds)


async def kafka_clock(admin: AIOKafkaAdminClient) -> Clock:
    """Of the active controller. Raises KafkaError if no broker answers."""
    sent = _now_millis()
    client = admin._client  # noqa: SLF001 the admin client has no call for it
    try:
        stamp = controller_millis(await client.send(client.get_random_node(), QuorumRequest()))
    except KafkaError as error:
        return why(error)
    return Stamped(sent, _now_millis(), stamp) if stamp else "its answer has no time"


def mongodb_clock(hello: Mapping[str, Any], sent_millis: int, answered_millis: int) -> Stamped:
    """Commands are read without the client's tz_aware."""
    return Stamped(sent_millis, answered_millis, millis_of(hello["localTime"].replace(tzinfo=UTC)))


def clock_checks(found: Mapping[Source, Clock], tolerance_seconds: float) -> list[Check]:
    """Only a difference that is certain counts: a server reads its clock at an unknown time before it answers."""
    watch = ClockWatch(tolerance_seconds)
    for source, clock in found.items():
        if isinstance(clock, Stamped):
            watch.measured(source, clock, 0)
    skews = watch.skews(0)
    checks = [
        Check(f"clock of {NAMES[source]}", "warning", _unknown(clock))
        for source, clock in found.items()
        if isinstance(clock, str)
    ]
    if not skews.by_source:
        return checks
    known = " and ".join(f"{NAMES[source]}'s" for source in skews.by_source)
    checks.append(_own(skews.own, known, tolerance_seconds))
    for source, ahead in skews.of_servers.items():
        what = f"clock of {NAMES[source]}"
        if abs(ahead) < WARN_SECONDS:
            checks.append(Check(what, "ok", "differs by less than 2 s from this machine's"))
            continue
        where = f"on the machines of {NAMES[source]}"
        difference = f"{NAMES[source]}'s clock is {_by(ahead)} this machine's"
        checks.append(Check(what, "warning", f"{difference}. {_MATTERS[source]}. To mend it, {_MEND.format(where)}"))
    return checks


def _own(seconds: float, known: str, tolerance_seconds: float) -> Check:
    what = "clock of this machine"
    if abs(seconds) < WARN_SECONDS:
        return Check(what, "ok", f"agrees with {known}")
    return Check(
        what,
        "warning",
        f"this machine's clock is {_by(seconds)} {known}. An ingress that runs here accepts, refuses and shifts "
        f"periods by it, and beyond {tolerance_seconds:g} s it is not ready. To mend it, {_MEND.format('here')}",
    )


def _by(seconds: float) -> str:
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"


def _unknown(reason: str) -> str:
    return (
        f"not known ({reason}): if it is wrong, ids are remembered for too short or too long a time. Grant DESCRIBE on "
        "the cluster to this user (Kafka before 3.3 does not tell its time). Each ingress also compares it at every "
        "ack: tallymill_ingress_clock_skew_seconds"
    )


def _now_millis() -> int:
    return time.time_ns() // 1_000_000
