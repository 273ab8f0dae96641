"""The body of a request: its media type, coding, size and time (B1, B3, B8). No more bytes are held than the limit.

The bodies of the two APIs may be large. They share a budget: see body_budget.py.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Final

from ingress.http.encoding import Damaged, Decoder, UnknownCoding, content_coding
from schemas.errors.table import Refusal
from schemas.wire.malformed import Violation
from serving.http.whole import Body, Receive
from serving.refused import Refused

# Of decoded bytes. A thread that decodes lets other threads run after each slice.
SLICE_BYTES = 64 * 1024

FORM: Final = b"application/x-www-form-urlencoded"
# US-ASCII text is also UTF-8. A body that is not UTF-8 is refused when it is parsed.
_UTF_8: Final = frozenset((b"utf-8", b"utf8", b"us-ascii"))
# A parameter of a media type: name and value. The value may be quoted (RFC 9110, 5.6.6), or stand in apostrophes.
_parameters = re.compile(rb";[ \t]*+([^;=\s\"]*+)[ \t]*+=[ \t]*+(\"(?:[^\"\\]|\\.)*+\"?|[^;]*+)").findall


class ClientLeft(Exception):
    """The client closed the connection before the reply."""


def refuse_announced_size(headers: Mapping[bytes, bytes], max_bytes: int) -> None:
    """Raises Refused if Content-Length says that the body is too large. This is checked before the token (B1)."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > max_bytes:
        raise Refused(Refusal.BODY_LARGE)


def require_json(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The coding of the body, None for none. Without a Content-Type the body counts as JSON.

    Raises Refused unless the headers announce JSON in UTF-8, in at most one coding, which must be supported.
    """
    if not _is(b"application/json", headers.get(b"content-type", b"application/json")):
        raise Refused(Refusal.MEDIA_TYPE)
    return _coding(headers)


def require_form(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The same of a form in place of a query (G1). Without a Content-Type the body counts as a form."""
    if not _is(FORM, headers.get(b"content-type", FORM)):
        raise Refused(Refusal.NOT_A_FORM)
    return _coding(headers)


def require_text(headers: Mapping[bytes, bytes]) -> tuple[str, bytes | None]:
    """The media type and the coding of a body that may be JSON or a form, whatever its media type says (A2).

    Raises Refused for multipart, for a charset other than UTF-8, and for an unsupported coding.
    """
    media_type, charsets = _media_type(headers.get(b"content-type", b""))
    if media_type.startswith(b"multipart/") or not charsets <= _UTF_8:
        raise Refused(Refusal.MEDIA_TYPE)
    return media_type.decode("latin-1"), _coding(headers)


def _is(expected: bytes, content_type: bytes) -> bool:
    if content_type == expected:
        return True
    media_type, charsets = _media_type(content_type)
    return media_type == expected and charsets <= _UTF_8


def _media_type(content_type: bytes) -> tuple[bytes, frozenset[bytes]]:
    """The media type in lower case, and the charsets that its parameters name."""
    content_type = content_type.lower()
    values = (value for name, value in _parameters(content_type) if name == b"charset")
    return content_type.partition(b";")[0].strip(), frozenset(value.strip(b" \t\"'") for value in values)


def _coding(headers: Mapping[bytes, bytes]) -> bytes | None:
    header = headers.get(b"content-encoding")
    if header is None:
        return None
    try:
        return content_coding(header)
    except UnknownCoding as error:
        raise Refused(Refusal.ENCODING) from error


async def read_body(body: Body, coding: bytes | None, max_bytes: int, timeout_seconds: float) -> bytes:
    """The whole of a small body, decoded.

    Raises Refused for a body that is too large, too slow or not valid in its coding. Raises ClientLeft.
    """
    return unpacked(await read_wire(body, max_bytes, timeout_seconds), coding, max_bytes)


async def read_wire(
    body: Body, max_bytes: int, timeout_seconds: float, took: Callable[[int], None] = lambda _bytes: None
) -> bytes:
    """The whole body as it was sent. Calls `took` with the size of each part. Raises Refused, ClientLeft."""
    arrived = body.arrived()
    if arrived is not None:
        if len(arrived) > max_bytes:
            raise Refused(Refusal.BODY_LARGE)
        took(len(arrived))
        return arrived
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _whole(body, max_bytes, took)
    except TimeoutError:
        raise Refused(Refusal.BODY_LATE) from None


async def _whole(receive: Receive, max_bytes: int, took: Callable[[int], None]) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise Refused(Refusal.BODY_LARGE)
        took(len(part))
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def unpacked(wire: bytes, coding: bytes | None, max_bytes: int) -> bytes:
    """The body decoded, slice by slice. Raises Refused if it is too large (B8) or not valid in its coding."""
    if coding is None:
        return wire
    decoder, parts, size = Decoder(coding), [], 0
    try:
        for part in decoder.slices(wire, SLICE_BYTES):
            size += len(part)
            if size > max_bytes:
                raise Refused(Refusal.BODY_LARGE)
            parts.append(part)
        decoder.finish()
    except Damaged as error:
        raise Refused(Refusal.MALFORMED, (Violation(field="", description=str(error)),)) from error
    return b"".join(parts)


def beginning(wire: bytes, coding: bytes | None) -> bytes:
    """At most the first slice of the decoded body. Empty if it can't be decoded."""
    try:
        return Decoder(coding).decoded(wire[:SLICE_BYTES], SLICE_BYTES) if coding else wire[:SLICE_BYTES]
    except Damaged:
        return b""
