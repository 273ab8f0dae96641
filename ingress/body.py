"""The body of a request: its media type, coding, size and time (B1, B3, B8). Nothing is held past the limit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final

from ingress.answers import RawHeader, Refusal, Refused
from ingress.encoding import Damaged, Decoder, UnknownCoding, content_coding
from schemas.games import Violation

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

DISCARD_SECONDS = 1.0

HEADERS_KEY: Final = "tallymill.headers"
FORM: Final = b"application/x-www-form-urlencoded"
# None named, or this one.
_UTF_8: Final[tuple[list[bytes], ...]] = ([], [b"utf-8"])
# Headers that are lists: given twice, they are one list (RFC 9110 section 5.3).
_LISTS: Final = (b"accept-encoding", b"content-encoding", b"x-forwarded-for")


class ClientLeft(Exception):
    """The connection is gone: nobody waits for a reply."""


def headers_by_name(raw: list[RawHeader]) -> dict[bytes, bytes]:
    """Headers by lower-case name; of one given twice, the first, of a list all."""
    headers = dict(reversed(raw))
    if len(headers) < len(raw):
        for name in _LISTS:
            if name in headers:
                headers[name] = b",".join(value for other, value in raw if other == name)
    return headers


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """The same of the request that an endpoint is called with; the edge has made them already."""
    found: dict[bytes, bytes] = scope[HEADERS_KEY]
    return found


def refuse_announced_size(headers: dict[bytes, bytes], max_bytes: int) -> None:
    """Raises Refused if Content-Length says that the body is too large: known before the token is looked at (B1)."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > max_bytes:
        raise Refused(Refusal.BODY_LARGE)


def require_json(headers: dict[bytes, bytes]) -> bytes | None:
    """The coding the body comes in (None: as it is). An absent Content-Type is taken for JSON.

    Raises Refused unless it is JSON in UTF-8, in one coding at most that is read here.
    """
    if not _is(b"application/json", headers.get(b"content-type", b"application/json")):
        raise Refused(Refusal.MEDIA_TYPE)
    return _coding(headers)


def require_form(headers: dict[bytes, bytes]) -> bytes | None:
    """The same of a form that stands for a query (G1). An absent Content-Type is taken for a form."""
    if not _is(FORM, headers.get(b"content-type", FORM)):
        raise Refused(Refusal.NOT_A_FORM)
    return _coding(headers)


def require_text(headers: dict[bytes, bytes]) -> tuple[str, bytes | None]:
    """The media type, and the coding, of a body that may be JSON or a form whatever it is announced as (A2).

    Raises Refused for multipart, for a charset other than UTF-8, and for a coding that is not read here.
    """
    media_type, charsets = _media_type(headers.get(b"content-type", b""))
    if media_type.startswith(b"multipart/") or charsets not in _UTF_8:
        raise Refused(Refusal.MEDIA_TYPE)
    return media_type.decode("latin-1"), _coding(headers)


def _is(expected: bytes, content_type: bytes) -> bool:
    media_type, charsets = _media_type(content_type)
    return media_type == expected and charsets in _UTF_8


def _media_type(content_type: bytes) -> tuple[bytes, list[bytes]]:
    """In lower case, and the charsets that are named."""
    media_type, *parameters = content_type.lower().split(b";")
    charsets = [p.partition(b"=")[2].strip(b' "') for p in parameters if p.strip().startswith(b"charset")]
    return media_type.strip(), charsets


def _coding(headers: dict[bytes, bytes]) -> bytes | None:
    try:
        return content_coding(headers.get(b"content-encoding"))
    except UnknownCoding as error:
        raise Refused(Refusal.ENCODING) from error


async def read_body(receive: Receive, coding: bytes | None, max_bytes: int, timeout_seconds: float) -> bytes:
    """The whole body, decoded.

    Raises Refused when it is too large, too slow or no stream of its coding, ClientLeft when its sender is gone.
    """
    decoder = Decoder(coding) if coding else None
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _whole(receive, decoder, max_bytes)
    except TimeoutError:
        raise Refused(Refusal.BODY_LATE) from None
    except Damaged as error:
        raise Refused(Refusal.MALFORMED, (Violation(field="", description=str(error)),)) from error


async def _whole(receive: Receive, decoder: Decoder | None, max_bytes: int) -> bytes:
    """At most `max_bytes` on the wire, which a stream of empty blocks would pass, and as many decoded (B8)."""
    parts: list[bytes] = []
    sent = size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part: bytes = message.get("body", b"")
        sent += len(part)
        if decoder is not None and sent <= max_bytes:
            part = decoder.decoded(part, max_bytes - size + 1)
        size += len(part)
        if sent > max_bytes or size > max_bytes:
            raise Refused(Refusal.BODY_LARGE)
        parts.append(part)
        if not message.get("more_body", False):
            if decoder is not None:
                decoder.finish()
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def discard_rest(receive: Receive) -> None:
    """Read on for a moment what a refused client still sends.

    Closing with bytes unread resets the connection, and the client would lose the reply that says why.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while (await receive()).get("more_body", False):
                pass
