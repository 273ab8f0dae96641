"""The replies to refused requests (docs/rules.md, "Answers"; schemas/errors/table.py). Pure: values in, a Reply out."""

import json
import math
from collections.abc import Mapping
from typing import Final

from schemas.errors.table import Refusal as Refusal  # noqa: PLC0414 imported from here with Refused
from schemas.wire.errors import error_body
from schemas.wire.malformed import Violation
from serving.http.reply import JSON, RawHeader, Reply

# Workers an hour behind are not caught up within seconds.
RETRY_LAG_SECONDS = 60

REFUSAL_HEADERS: Final[Mapping[Refusal, tuple[RawHeader, ...]]] = {
    refusal: tuple((name.encode(), value.encode()) for name, value in refusal.value.fixed_headers)
    for refusal in Refusal
}
"""The headers that belong to a refusal, whatever the request was."""


class Refused(Exception):
    """Carries the refusal of a whole request to where the reply is sent; `headers` are this one's own."""

    def __init__(
        self, refusal: Refusal, violations: tuple[Violation, ...] = (), headers: tuple[RawHeader, ...] = ()
    ) -> None:
        self.refusal = refusal
        self.violations = violations
        self.headers = headers
        super().__init__(refusal.name)


def refusal_reply(refusal: Refusal, violations: tuple[Violation, ...] = ()) -> Reply:
    """Google's error body, and the headers that the refusal always has."""
    body = _compact(error_body(refusal.value, violations))
    return Reply(refusal.value.code, body, (JSON, *REFUSAL_HEADERS[refusal]))


def json_reply(status: int, value: Mapping[str, object]) -> Reply:
    return Reply(status, _compact(value))


def _compact(value: Mapping[str, object]) -> bytes:
    """No spaces unless `prettyPrint` asks for them (G2)."""
    return json.dumps(value, separators=(",", ":")).encode()


def retry_after(seconds: float) -> RawHeader:
    """`Retry-After`: whole seconds, one at least."""
    return (b"retry-after", b"%d" % max(1, math.ceil(seconds)))


def server_timing(accepted_seconds: float, visible_seconds: float | None) -> RawHeader:
    """`Server-Timing` (W3C): ms from the request's arrival to Kafka's ack, and to being counted when that is known."""
    text = b"accepted;dur=%.1f" % (accepted_seconds * 1000)
    if visible_seconds is not None:
        text += b", visible;dur=%.1f" % (visible_seconds * 1000)
    return (b"server-timing", text)
