"""What AddEvent and AddEventBatch are answered (the table "Answers of the analytics events", docs/rules.md). Pure.

One shape, whatever happens: `{"StatusCode", "Severity", "StatusMessage", "Content"}`, with the HTTP status that fits.
Severity: 1 all is well, 2 try again (or, with StatusCode 0, only a part was good), 3 don't.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from ingress.analytics.checks import JudgedBatch
from ingress.delivery.waiters import WaitResult
from ingress.http.replies import REFUSAL_HEADERS, Refusal, json_reply
from schemas.analytics.stored import MAX_STORED_BYTES
from schemas.wire.depth import MAX_VALUES
from schemas.wire.malformed import Violation
from serving.http.reply import RawHeader, Reply

# Violations that a StatusMessage names (A10), and how much of one: names within Data are the client's own.
MAX_NAMED = 10
MAX_NAMED_CHARACTERS = 256

DUPLICATE: Final[RawHeader] = (b"tallymill-duplicate", b"true")


class StatusCode(IntEnum):
    """Why, to a program."""

    OK = 0
    NOT_READABLE = 1
    WRONG_FIELD = 2
    UNAUTHENTICATED = 3
    FORBIDDEN = 4
    TOO_LARGE = 5
    TOO_FAST = 6
    AGAIN = 7
    NOT_FOUND = 8
    INTERNAL = 9


class Severity(IntEnum):
    """What to do."""

    OK = 1
    AGAIN = 2
    DONT = 3


class _Row(NamedTuple):
    code: StatusCode
    severity: Severity
    message: str


_DONT, _AGAIN = Severity.DONT, Severity.AGAIN
_ROWS: Final[Mapping[Refusal, _Row]] = {
    Refusal.BAD_HTTP: _Row(StatusCode.NOT_READABLE, _DONT, "The request is not valid HTTP/1.1."),
    Refusal.HEAD_LATE: _Row(StatusCode.AGAIN, _AGAIN, "The head of the request did not come in time."),
    Refusal.HEAD_LARGE: _Row(StatusCode.TOO_LARGE, _DONT, "The head of the request is larger than allowed."),
    Refusal.FULL: _Row(StatusCode.AGAIN, _AGAIN, "Too many connections are open. Send the same again later."),
    Refusal.HTTP_VERSION: _Row(StatusCode.NOT_READABLE, _DONT, "Only HTTP/1.1 and HTTP/1.0 are served here."),
    Refusal.MALFORMED: _Row(StatusCode.WRONG_FIELD, _DONT, "The request is not valid."),
    Refusal.NO_TOKEN: _Row(
        StatusCode.UNAUTHENTICATED, _DONT, "Token: is required, in the body or as a bearer token in Authorization."
    ),
    Refusal.UNAUTHENTICATED: _Row(StatusCode.UNAUTHENTICATED, _DONT, "Token: is not valid, or has expired."),
    Refusal.NO_ANONYMOUS: _Row(StatusCode.FORBIDDEN, _DONT, "Token: the app takes no events of anonymous tokens."),
    Refusal.NOT_FOUND: _Row(StatusCode.NOT_FOUND, _DONT, "There is nothing at this path."),
    Refusal.METHOD: _Row(StatusCode.NOT_FOUND, _DONT, "This path takes POST alone."),
    Refusal.BODY_LATE: _Row(StatusCode.AGAIN, _AGAIN, "The request body did not come in time."),
    Refusal.BODY_LARGE: _Row(StatusCode.TOO_LARGE, _DONT, "The request body is larger than allowed: send less in one."),
    Refusal.TOO_MANY_ITEMS: _Row(
        StatusCode.TOO_LARGE, _DONT, "eventData: more events than one request may hold: send several."
    ),
    Refusal.TOO_MANY_VALUES: _Row(
        StatusCode.TOO_LARGE, _DONT, f"The body holds more than {MAX_VALUES} values: send several."
    ),
    Refusal.TOO_MUCH_TO_STORE: _Row(
        StatusCode.TOO_LARGE,
        _DONT,
        f"eventData: more than {MAX_STORED_BYTES >> 20} MiB to store, mediaInfo with every event: send several.",
    ),
    Refusal.MEDIA_TYPE: _Row(StatusCode.NOT_READABLE, _DONT, "The body must be JSON or a form, in UTF-8."),
    Refusal.NOT_A_FORM: _Row(StatusCode.NOT_READABLE, _DONT, "A query sent as a body must be a form in UTF-8."),
    Refusal.ENCODING: _Row(
        StatusCode.NOT_READABLE, _DONT, "The body's Content-Encoding must be one of Accept-Encoding."
    ),
    Refusal.PAYLOAD_DIFFERS: _Row(StatusCode.WRONG_FIELD, _DONT, "requestId: was used before with other events."),
    Refusal.ADDRESS_RATE_HIGH: _Row(StatusCode.TOO_FAST, _AGAIN, "Too many requests from this address."),
    Refusal.ACTOR_RATE_HIGH: _Row(StatusCode.TOO_FAST, _AGAIN, "Too many requests; send it again later."),
    Refusal.INTERNAL: _Row(StatusCode.INTERNAL, _AGAIN, "An error of ours. Send the same request again."),
    Refusal.SET_ASIDE: _Row(StatusCode.INTERNAL, _AGAIN, "The events were accepted but could not be registered."),
    Refusal.TOKEN_UNCHECKED: _Row(StatusCode.AGAIN, _AGAIN, "The token can't be checked now; nothing was done."),
    Refusal.BUSY: _Row(
        StatusCode.AGAIN, _AGAIN, "Too many request bodies are in progress. Send the same request again."
    ),
    Refusal.UNAVAILABLE: _Row(StatusCode.AGAIN, _AGAIN, "Not sure to be registered. Send the same request again."),
}


def analytics_refusal(refusal: Refusal, violations: tuple[Violation, ...] = ()) -> Reply:
    """A failure of the whole request: nothing of it is registered."""
    code, severity, message = _ROWS[refusal]
    if violations:
        message = named(violations)
        # What has no place within the body is the body itself: it can't be read.
        code = StatusCode.WRONG_FIELD if violations[0].field else StatusCode.NOT_READABLE
    headers = REFUSAL_HEADERS.get(refusal, ())
    return _reply(refusal.value.code, code, severity, message, content=False).having(*headers)


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
    """The middle goes: the place stands in front, and behind it what is wrong."""
    half = MAX_NAMED_CHARACTERS // 2
    return f"{text[:half]}...{text[-half:]}"


def _reply(status: int, code: StatusCode, severity: Severity, message: str, *, content: bool) -> Reply:
    return json_reply(
        status,
        {"StatusCode": int(code), "Severity": int(severity), "StatusMessage": message, "Content": content},
    )
