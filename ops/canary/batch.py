"""The canary's batch, and what the ingress's answers about it mean. Pure.

A batch adds 1 to the one event of the canary's app. Every try sends the same bytes, so a batch that was stored by a try
without an answer is recognised by its requestId.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from ops.http_words import refusal_words
from schemas.canary import CANARY_EVENT

MINUTE_MILLIS: Final = 60_000

# Answers after which the same request may succeed. 503 does not say whether the batch is stored.
RETRY_STATUS: Final = frozenset({408, 429, 502, 503, 504})

# Nothing was stored: the client is told so before its batch is published.
NOT_STORED: Final = frozenset({408, 429})

RECEIPT_HEADER: Final = "Tallymill-Receipt"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the ingress."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:  # noqa: ANN401 JSON
        """None if it is not JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    @property
    def words(self) -> str:
        found = refusal_words(self.text)
        return f"HTTP {self.status}: {found}" if found else f"HTTP {self.status}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The batch is stored, by this try or by an earlier one. The receipt asks for its state."""

    receipt: str


@dataclass(frozen=True, slots=True)
class Visible:
    """The batch is counted."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The ingress does not know the batch's receipt any more, for example because a new lineage was started."""


@dataclass(frozen=True, slots=True)
class Total:
    """The total of the canary's event, read back."""

    value: int


@dataclass(frozen=True, slots=True)
class Again:
    """Not final: the same request is sent again. `maybe_stored`: the batch may be stored nevertheless."""

    reason: str
    maybe_stored: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """Final: this batch does not count."""

    reason: str


def batch_body(request_id: int, now_millis: int) -> bytes:
    """One event in the minute before the last full one."""
    end = now_millis - now_millis % MINUTE_MILLIS
    period = {"periodStartMillis": str(end - MINUTE_MILLIS), "periodEndMillis": str(end)}
    updates = [{"definitionId": CANARY_EVENT, "updateCount": "1"}]
    body = {
        "requestId": str(request_id),
        "currentTimeMillis": str(now_millis),
        "timePeriods": [{"timePeriod": period, "updates": updates}],
    }
    return json.dumps(body).encode()


def sent(reply: Reply) -> Accepted | Again | Refused:
    """What the answer to the batch says."""
    if reply.status in RETRY_STATUS:
        return Again(reply.words, reply.status not in NOT_STORED)
    body = reply.json()
    if reply.status != HTTPStatus.OK or not isinstance(body, dict):
        return Refused(reply.words)
    causes = [str(one.get("failureCause")) for name in ("batchFailures", "eventFailures") for one in body.get(name, ())]
    if "RECORD_RATE_HIGH" in causes:
        return Again("RECORD_RATE_HIGH", maybe_stored=False)
    if wrong := [cause for cause in causes if cause != "ALREADY_UPDATED"]:
        return Refused(f"{wrong[0]}: run `tallymill init`" if wrong[0] == "NOT_FOUND" else wrong[0])
    receipt = {name.lower(): value for name, value in reply.headers.items()}.get(RECEIPT_HEADER.lower())
    return Accepted(receipt) if receipt else Again("accepted, but without a receipt yet")


def state(reply: Reply) -> Visible | Lost | Again | Refused:
    """What the state of the batch's receipt says. A batch whose receipt is lost is sent again."""
    if reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return Lost()
    body = reply.json()
    if reply.status != HTTPStatus.OK or not isinstance(body, dict):
        return Again(reply.words)
    if body.get("state") == "pending":
        return Again("accepted, but not visible yet")
    if body.get("state") in ("applied", "duplicate"):
        return Visible()
    return Refused(f"a worker set the batch aside: {body.get('cause') or body.get('state')}")


def total(reply: Reply) -> Total | Again:
    """The total in a list of the player's events. 0 if the event is not in it."""
    body = reply.json()
    if reply.status != HTTPStatus.OK or not isinstance(body, dict):
        return Again(reply.words)
    for item in body.get("items", ()):
        if item.get("definitionId") == CANARY_EVENT:
            return Total(int(item["numEvents"]))
    return Total(0)
