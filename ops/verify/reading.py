"""Reads a record: its owner, its id, and what it adds to which minute. Pure.

Shares the contract with the worker (envelope, signature, what a batch is, rules for what no ingress has judged), and
none of its code that plans: what a batch counts is taken out of the body here, with `json`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.definitions import Definition
from schemas.documents import request_key, utc
from schemas.games.body import EventRecordRequest, parse_request
from schemas.games.judging import Judgement, judge
from schemas.records.envelope import Envelope, MalformedEnvelope, is_signed, unseal
from schemas.records.headers import Headers
from schemas.records.signing import SigningKeys
from schemas.settings import Limits
from schemas.wire.malformed import MalformedBody

MINUTE_MILLIS = 60_000
WINDOW_MINUTES = 1
"""As schemas/windows.py, on purpose not read from there: a recount must not share a mistake with the worker."""
MAX_INT64_CHARACTERS = len(str(-(2**63)))

Definitions = Mapping[str, Sequence[Definition]]
"""All definitions by app, including retired ones."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record of the log. Its time is the broker's."""

    offset: int
    time_millis: int
    key: bytes | None
    value: bytes
    headers: Headers
    fault: str = ""
    """Why the log could not give it complete. Such a record is dead, unless an ingress has signed it."""

    def is_faulty(self, keys: SigningKeys) -> bool:
        return bool(self.fault) and not is_signed(self.headers, self.value, keys)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that records are read by."""

    keys: SigningKeys
    limits: Limits
    definitions: Definitions


@dataclass(frozen=True, slots=True)
class Reading:
    """A record by itself: countable (once), refused or dead; and what it would add."""

    kind: Literal["countable", "refused", "dead"]
    app: str = ""
    actor: str = ""
    request: str = ""
    """Its whole id in `requests` (request_key)."""
    sums: Mapping[tuple[str, int], int] | None = None
    """Counts by (event, minute since 1970)."""


DEAD = Reading("dead")


def read(record: LogRecord, rules: Rules) -> Reading:
    """Never raises: an unreadable record is dead.

    What is a batch, the contract says, for worker and recount alike. Whatever is raised after that is a fault of this
    code; the record then is dead here and not for the worker, and the report shows it.
    """
    if record.is_faulty(rules.keys):
        return DEAD
    try:
        envelope = unseal(record.key, record.headers, record.value, record.time_millis, rules.keys)
        batch = parse_request(record.value)
        judgement = envelope.judged if envelope.judged is not None else _judged_now(batch, envelope, rules)
        body = json.loads(record.value, parse_int=_int_of)
        sums = _sums(body, judgement)
        request = request_key(envelope.app, envelope.player, int(body["requestId"]))
    except (MalformedEnvelope, MalformedBody, ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return DEAD
    return Reading("countable" if sums else "refused", envelope.app, envelope.actor, request, sums)


def _int_of(digits: str) -> int:
    """Digits beyond int64 belong to a value that doesn't count: of a name given twice the last does.

    They are not converted: how many Python converts depends on its settings.
    """
    return int(digits) if len(digits) <= MAX_INT64_CHARACTERS else 0


def _judged_now(request: EventRecordRequest, envelope: Envelope, rules: Rules) -> Judgement:
    """Judged by the definitions of its own time and its app's limits, because no ingress has judged it."""
    received = utc(envelope.received_millis)
    declared = {d.definition_id for d in rules.definitions.get(envelope.app, ()) if d.in_force(received)}
    return judge(request, envelope.received_millis, rules.limits.for_app(envelope.app), declared)


def window_of(millis: int) -> int:
    """The minute since 1970 that the window of a time starts in."""
    return millis // (WINDOW_MINUTES * MINUTE_MILLIS) * WINDOW_MINUTES


def _sums(body: Mapping[str, Any], judgement: Judgement) -> Mapping[tuple[str, int], int]:
    """The counts of a body by event and minute. A period belongs to the window in which it starts."""
    if judgement.too_large:
        return {}
    bad_periods = {i for i, _ in judgement.periods}
    bad_updates = {(i, j) for i, j, _ in judgement.updates}
    sums: Counter[tuple[str, int]] = Counter()
    for i, period in enumerate(body.get("timePeriods") or ()):
        if i in bad_periods:
            continue
        minute = window_of(int(period["timePeriod"]["periodStartMillis"]) + judgement.shift_millis)
        for j, update in enumerate(period.get("updates") or ()):
            if (i, j) not in bad_updates:
                sums[update["definitionId"], minute] += int(update["updateCount"])
    return sums
