"""A sample of what is refused, so that "why was my event dropped" has an answer: noted here, written in the background.

- Noting never waits and never fails; MongoDB away or slow costs samples, and no request anything.
- Of one app and cause only the first few a minute are kept, so that a noisy app hides no other and a broken client
  not what else goes wrong. What is left out is counted (metrics), as every refusal is.
- Of the client's bytes only the first are kept, and nothing that looks like a credential (B6).
"""

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import BaseModel, ValidationError

from ingress.http.metrics import Metrics
from ingress.ports import RefusalStore, SampledRefusal, Unavailable
from schemas.wire.int64 import Int64
from serving.clock import Clock
from serving.tokens.bearer import MAX_TOKEN_BYTES

log = structlog.get_logger()

MAX_FIRST_BYTES = 256
# What is looked at for them: a token is looked for to its end, or the part of it before the cut would stay.
MAX_PIECE_BYTES = MAX_FIRST_BYTES + MAX_TOKEN_BYTES

# A larger body is not read for its requestId: that takes pydantic a third of a second a MiB.
MAX_READ_BYTES = 64 * 1024

# An app that comes with every cause there is doesn't fill a second's room alone (a test holds that).
PER_CAUSE_A_MINUTE = 10
PER_SECOND = 500
# What may wait for MongoDB, about 1 KB each.
MAX_WAITING = 1_000
# A burst is one insert.
GATHER_SECONDS = 0.25

BLANK: Final = b"***"
# A JWT (RFC 7519), and the value behind a name that says it is secret: in JSON, in a form, in a header.
_JWT = re.compile(rb"eyJ[\w-]+(?:\.[\w-]*)*")
# Every repeat is bounded: a body made for it must not hold up the loop.
_NAMED_SECRET = re.compile(
    rb"(?i)((?:token|authorization|password|secret|api[_-]?key|assertion)[\w-]{0,32}"
    rb"[\\\"']{0,4}\s{0,64}[:=]\s{0,64}[\\\"']{0,4}(?:(?:bearer|basic)\s{1,8})?)[^\s\"'&,}\\]+"
)
_ESCAPED_ASCII = re.compile(rb"\\u00([0-7][0-9a-fA-F])")


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is, when it came; `token` so that it can be blanked wherever it shows."""

    app: str
    player: str
    token: bytes
    at_millis: int


@dataclass(frozen=True, slots=True)
class Noted:
    """What was refused: why, where in the body, how it began, under which requestId."""

    cause: str
    field: str = ""
    piece: bytes = b""
    request_id: int | None = None


class Quota:
    """Which refusals are kept. Time is an argument."""

    def __init__(self, per_cause_a_minute: int = PER_CAUSE_A_MINUTE, per_second: int = PER_SECOND) -> None:
        self._per_cause = per_cause_a_minute
        self._per_second = per_second
        self._minute = self._second = -1
        self._by_cause: Counter[tuple[str, str]] = Counter()
        self._in_second = 0

    def takes(self, app: str, cause: str, now_seconds: float) -> bool:
        """Whether there is room for this one; if so, it is counted."""
        self._forget(int(now_seconds))
        if self._by_cause[app, cause] >= self._per_cause or self._in_second >= self._per_second:
            return False
        self._by_cause[app, cause] += 1
        self._in_second += 1
        return True

    def _forget(self, second: int) -> None:
        if second != self._second:
            self._second, self._in_second = second, 0
        if second // 60 != self._minute:
            self._minute = second // 60
            self._by_cause.clear()


class Refusals:
    """The sample of one process."""

    def __init__(self, store: RefusalStore, clock: Clock, metrics: Metrics) -> None:
        self.store = store
        self._clock = clock
        self._metrics = metrics
        self._quota = Quota()
        self._waiting: list[SampledRefusal] = []
        self._wake = asyncio.Event()
        self._away = False

    def note(self, sender: Sender, noted: Noted) -> None:
        """Keep it if there is room."""
        if len(self._waiting) >= MAX_WAITING:
            self._metrics.refusals_not_kept("full")
        elif not self._quota.takes(sender.app, noted.cause, self._clock.monotonic_seconds()):
            self._metrics.refusals_not_kept("rate")
        else:
            self._waiting.append(_sampled(sender, noted))
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled; what waits then is lost, for it is a sample."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what waits, once."""
        self._wake.clear()
        waiting, self._waiting = self._waiting, []
        try:
            await self._store_all(waiting)
        except Unavailable as error:
            self._metrics.refusals_not_kept("away", len(waiting))
            if not self._away:
                log.warning("refusals_not_kept", error=str(error))
            self._away = True

    async def _store_all(self, waiting: list[SampledRefusal]) -> None:
        if waiting:
            await self.store.add_refusals(waiting)
            self._metrics.refusals_kept(len(waiting))
            self._away = False


def _sampled(sender: Sender, noted: Noted) -> SampledRefusal:
    return SampledRefusal(
        app=sender.app,
        player=sender.player,
        cause=noted.cause,
        field=first_bytes(noted.field.encode(errors="replace"), sender.token).decode(errors="replace"),
        first_bytes=first_bytes(noted.piece, sender.token),
        request_id=noted.request_id if noted.request_id is not None else readable_request_id(noted.piece),
        at_millis=sender.at_millis,
    )


def first_bytes(piece: bytes, token: bytes) -> bytes:
    """The beginning, without `token` and without what looks like a credential, however it is escaped."""
    plain = piece[:MAX_PIECE_BYTES].replace(b"\0", b"")
    plain = _ESCAPED_ASCII.sub(lambda found: bytes((int(found[1], 16),)), plain)
    if token:
        plain = plain.replace(token, BLANK)
    return _NAMED_SECRET.sub(rb"\g<1>" + BLANK, _JWT.sub(BLANK, plain))[:MAX_FIRST_BYTES]


def piece_of(value: object) -> bytes:
    """How a decoded part of a body begins, as JSON; no more of it is written than is looked at."""
    chunks, left = [], MAX_PIECE_BYTES
    for chunk in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        chunks.append(chunk[:left])
        left -= len(chunk)
        if left <= 0:
            break
    return "".join(chunks).encode(errors="replace")[:MAX_PIECE_BYTES]


class _WithId(BaseModel):
    requestId: Int64  # noqa: N815 the wire's name


def readable_request_id(body: bytes) -> int | None:
    """The requestId of a body that is refused, if it has one all the same and is small enough to be read again."""
    if len(body) > MAX_READ_BYTES:
        return None
    try:
        return _WithId.model_validate_json(body).requestId
    except ValidationError:
        return None
