"""The replies of every process: JSON, and Google's error body for an error of the table (schemas/errors). Pure."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from schemas.errors.table import Refusal
from schemas.wire.errors import error_body
from schemas.wire.malformed import Violation
from serving.headers import RawHeader
from serving.http.reply import CLOSE, JSON, NO_STORE, Reply

REFUSAL_HEADERS: Final[Mapping[Refusal, tuple[RawHeader, ...]]] = {
    refusal: tuple((name.encode(), value.encode()) for name, value in refusal.value.fixed_headers)
    for refusal in Refusal
}
"""The headers that a refusal always has, whatever the request was."""

NO_CONTENT_CODE: Final = 204
NOT_MODIFIED_CODE: Final = 304
_WITHOUT_BODY: Final = (NO_CONTENT_CODE, NOT_MODIFIED_CODE)

_COMPACT: Final = (",", ":")
_SPACED: Final = (", ", ": ")


def refusal_reply(refusal: Refusal, violations: Sequence[Violation] = (), *, spaced: bool = False) -> Reply:
    """Google's error body, and the headers that the refusal always has."""
    reply = json_reply(refusal.value.code, error_body(refusal.value, violations), spaced=spaced)
    return reply.having(*REFUSAL_HEADERS[refusal])


def json_reply(status: int, value: Mapping[str, object], *, spaced: bool = False) -> Reply:
    """`spaced`: with spaces after commas and colons, as console and worker write JSON."""
    separators = _SPACED if spaced else _COMPACT
    return Reply(status, json.dumps(value, separators=separators, allow_nan=False).encode(), (JSON,))


def sent_headers(reply: Reply, request_id: bytes, cors: Iterable[RawHeader], *, closes: bool) -> list[RawHeader]:
    """The headers of a reply as it is sent, with those that every process adds (B5)."""
    headers = [*reply.headers, (b"x-request-id", request_id)]
    if not any(name == NO_STORE[0] for name, _ in reply.headers):
        headers.append(NO_STORE)
    if reply.status not in _WITHOUT_BODY:
        headers.append((b"content-length", b"%d" % len(reply.body)))
    headers.extend(cors)
    if closes and CLOSE not in reply.headers:
        headers.append(CLOSE)
    return headers


def retry_after(seconds: float) -> RawHeader:
    """`Retry-After`: whole seconds, one at least."""
    return (b"retry-after", b"%d" % max(1, math.ceil(seconds)))


def etag_of(body: bytes) -> bytes:
    """The strong entity tag of a body (RFC 9110, section 8.8.3). 128 bits: no two bodies have one by chance."""
    return b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()


def is_current(headers: Mapping[bytes, bytes], etag: bytes) -> bool:
    """Whether If-None-Match names this tag: then the reply is 304.

    A proxy that compresses a reply marks its tag weak, so `W/` is ignored.
    """
    tags = headers.get(b"if-none-match", b"").split(b",")
    return any(tag.strip().removeprefix(b"W/") in (b"*", etag) for tag in tags)
