"""The answers of AddEvent and AddEventBatch (docs/rules.md, "Answers of the analytics events"). Pure.

All have one shape, `{"StatusCode", "Severity", "StatusMessage", "Content"}`, and the HTTP status that fits.
"""

from collections.abc import Sequence
from typing import Final

from ingress.analytics.checks import JudgedBatch
from ingress.delivery.waiters import WaitResult
from schemas.errors.row import Severity, StatusCode
from schemas.errors.table import Refusal
from schemas.wire.malformed import Violation
from serving.headers import RawHeader
from serving.http.replies import REFUSAL_HEADERS, json_reply
from serving.http.reply import Reply

# Violations that a StatusMessage names (A10), and how much of one: names within Data are the client's own.
MAX_NAMED = 10
MAX_NAMED_CHARACTERS = 256

DUPLICATE: Final[RawHeader] = (b"tallymill-duplicate", b"true")


def analytics_refusal(refusal: Refusal, violations: tuple[Violation, ...] = ()) -> Reply:
    """A failure of the whole request: none of its events is registered."""
    row = refusal.value
    if row.analytics is None:
        raise LookupError(f"{refusal.name} has no analytics answer in schemas/errors/table.py")
    code, _, message = row.analytics
    if violations:
        message = named(violations)
        # A violation without a field means that the body itself cannot be read.
        code = StatusCode.WRONG_FIELD if violations[0].field else StatusCode.NOT_READABLE
    return _reply(row.code, code, row.severity, message or row.message, content=False).having(*REFUSAL_HEADERS[refusal])


def published_reply(batch: JudgedBatch, result: WaitResult) -> Reply:
    """The answer to a published batch."""
    fate = result.rejection.fate if result.rejection else "applied"
    if fate not in ("applied", "duplicate"):
        # The worker could not register it, so OK would be false (B7). The receipt names the record to an operator.
        return analytics_refusal(Refusal.SET_ASIDE)
    reply = registered_reply()
    if batch.bad:
        reply = partly_registered_reply(batch.good, batch.bad, tuple(batch.violations))
    return reply.having(DUPLICATE) if fate == "duplicate" else reply


def registered_reply() -> Reply:
    """All of it is registered, by this request or an earlier one."""
    return _reply(200, StatusCode.OK, Severity.OK, "OK", content=True)


def partly_registered_reply(good: int, bad: int, violations: tuple[Violation, ...]) -> Reply:
    """`?partial=true`, and some were bad (A10)."""
    message = f"{good} of {good + bad} events registered, {bad} refused: {named(violations)}"
    return _reply(200, StatusCode.OK, Severity.AGAIN, message, content=True)


def other_events(places: Sequence[int]) -> str:
    """What is wrong with a request id under which other events are registered; they are named by their places."""
    named_places = ", ".join(f"eventData[{place}]" for place in places)
    return f"was used before with other events: {named_places}; these are not registered, send them under another id"


def named(violations: tuple[Violation, ...]) -> str:
    """`eventData[3].Timestamp: is required; ...`, the first ten."""
    texts = [f"{v.field}: {v.description}" if v.field else v.description for v in violations[:MAX_NAMED]]
    more = "; and more" if len(violations) > MAX_NAMED else ""
    return "; ".join(text if len(text) <= MAX_NAMED_CHARACTERS else _cut(text) for text in texts) + more


def _cut(text: str) -> str:
    """Cuts out the middle: the beginning names the field, and the end says what is wrong."""
    half = MAX_NAMED_CHARACTERS // 2
    return f"{text[:half]}...{text[-half:]}"


def _reply(status: int, code: StatusCode, severity: Severity, message: str, *, content: bool) -> Reply:
    return json_reply(
        status,
        {"StatusCode": int(code), "Severity": int(severity), "StatusMessage": message, "Content": content},
    )
