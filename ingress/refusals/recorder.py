"""Records a sample of the refusals, to answer "why was my event dropped". They are written in the background.

- `note` never waits and never fails. While MongoDB is unavailable or slow samples are lost; requests are not affected.
- Only the first few a minute of one app and cause are kept, so that a noisy app hides no other app, and a broken
  client no other cause. What is left out is counted in the metrics, as every refusal is.
- Only the first bytes of a body are kept, and nothing that looks like a credential (B6).
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
from schemas.settings import Api
from schemas.wire.int64 import Int64
from serving.clock import Clock
from serving.tokens.bearer import MAX_TOKEN_BYTES

log = structlog.get_logger()

MAX_FIRST_BYTES = 256
# The bytes that they are made of. A token that begins among the first must be found whole, or a part of it would stay.
MAX_PIECE_BYTES = MAX_FIRST_BYTES + MAX_TOKEN_BYTES

# A larger body is not parsed for its requestId: that takes pydantic a third of a second a MiB.
MAX_READ_BYTES = 64 * 1024

# An app that is refused for every existing cause at once stays below PER_SECOND (a test holds that).
PER_CAUSE_A_MINUTE = 10
PER_SECOND = 500
# Refusals that may wait for MongoDB, about 1 KB each.
MAX_WAITING = 1_000
# A burst within this time is written by one insert.
GATHER_SECONDS = 0.25

BLANK: Final = b"***"
# A JWT (RFC 7519), and the value that follows a secret's name in JSON, in a form or in a header.
_JWT = re.compile(rb"eyJ[\w-]+(?:\.[\w-]*)*")
# Every repetition is bounded: no body can make the search slow and block the event loop.
_NAMED_SECRET = re.compile(
    rb"(?i)((?:token|authorization|password|secret|api[_-]?key|assertion)[\w-]{0,32}"
    rb"[\\\"']{0,4}\s{0,64}[:=]\s{0,64}[\\\"']{0,4}(?:(?:bearer|basic)\s{1,8})?)[^\s\"'&,}\\]+"
)
_ESCAPED_ASCII = re.compile(rb"\\u00([0-7][0-9a-fA-F])")


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is, and when it came. `token` is removed from all that is recorded."""

    api: Api
    app: str
    player: str
    token: bytes
    at_millis: int


@dataclass(frozen=True, slots=True)
class RefusalNote:
    """One refusal: why, where in the body, the bytes there, and the requestId if it was read."""

    cause: str
    field: str = ""
    piece: bytes = b""
    request_id: int | None = None


class Quota:
    """Decides which refusals are kept. Time is an argument."""

    def __init__(self, per_cause_a_minute: int = PER_CAUSE_A_MINUTE, per_second: int = PER_SECOND) -> None:
        self._per_cause = per_cause_a_minute
        self._per_second = per_second
        self._minute = self._second = -1
        self._by_cause: Counter[tuple[str, str]] = Counter()
        self._in_second = 0

    def takes(self, app: str, cause: str, now_seconds: float) -> bool:
        """Whether there is room for this one. If so, it is counted."""
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


class RefusalRecorder:
    """Records the refusals of one process."""

    def __init__(self, store: RefusalStore, clock: Clock, metrics: Metrics) -> None:
        self.store = store
        self._clock = clock
        self._metrics = metrics
        self._quota = Quota()
        self._waiting: list[tuple[Api, SampledRefusal]] = []
        self._wake = asyncio.Event()
        self._is_failing = False

    def note(self, sender: Sender, note: RefusalNote) -> None:
        """Keep it if there is room."""
        if len(self._waiting) >= MAX_WAITING:
            self._metrics.refusals_not_kept(sender.api, "full")
        elif not self._quota.takes(sender.app, note.cause, self._clock.monotonic_seconds()):
            self._metrics.refusals_not_kept(sender.api, "rate")
        else:
            self._waiting.append((sender.api, _sampled(sender, note)))
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled. What waits then is lost, which a sample may be."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write all that waits."""
        self._wake.clear()
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        numbers = Counter(api for api, _ in waiting)
        try:
            await self.store.add_refusals([sampled for _, sampled in waiting])
        except Unavailable as error:
            for api, number in numbers.items():
                self._metrics.refusals_not_kept(api, "away", number)
            if not self._is_failing:
                log.warning("refusals_not_kept", reason=str(error))
            self._is_failing = True
            return
        for api, number in numbers.items():
            self._metrics.refusals_kept(api, number)
        if self._is_failing:
            log.info("refusals_kept_again")
        self._is_failing = False


def _sampled(sender: Sender, note: RefusalNote) -> SampledRefusal:
    return SampledRefusal(
        app=sender.app,
        player=sender.player,
        cause=note.cause,
        field=first_bytes(note.field.encode(errors="replace"), sender.token).decode(errors="replace"),
        first_bytes=first_bytes(note.piece, sender.token),
        request_id=note.request_id if note.request_id is not None else readable_request_id(note.piece),
        at_millis=sender.at_millis,
    )


def first_bytes(piece: bytes, token: bytes) -> bytes:
    """The beginning, without `token` and without what looks like a credential, also if it is escaped."""
    plain = piece[:MAX_PIECE_BYTES].replace(b"\0", b"")
    plain = _ESCAPED_ASCII.sub(lambda found: bytes((int(found[1], 16),)), plain)
    if token:
        plain = plain.replace(token, BLANK)
    return _NAMED_SECRET.sub(rb"\g<1>" + BLANK, _JWT.sub(BLANK, plain))[:MAX_FIRST_BYTES]


def piece_of(value: object) -> bytes:
    """The first bytes of a decoded part of a body, as JSON. No more of it is encoded than MAX_PIECE_BYTES."""
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
    """The requestId of a refused body, if it has a valid one and is small enough to be parsed again."""
    if len(body) > MAX_READ_BYTES:
        return None
    try:
        return _WithId.model_validate_json(body).requestId
    except ValidationError:
        return None
