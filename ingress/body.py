"""The body of a request: its media type, its size, its time (B1, B3, B8). Nothing is held past the limit."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from ingress.answers import RawHeader, Refusal, Refused

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

DISCARD_SECONDS = 1.0


class ClientLeft(Exception):
    """The connection is gone: nobody waits for a reply."""


def headers_by_name(raw: list[RawHeader]) -> dict[bytes, bytes]:
    """Headers by lower-case name; of one given twice, the first."""
    return dict(reversed(raw))


def refuse_announced_size(headers: dict[bytes, bytes], max_bytes: int) -> None:
    """Raises Refused if Content-Length says that the body is too large: known before the token is looked at (B1)."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > max_bytes:
        raise Refused(Refusal.BODY_LARGE)


def require_json(headers: dict[bytes, bytes]) -> None:
    """Raises Refused unless the body is JSON in UTF-8, not encoded. An absent Content-Type is taken for JSON."""
    media_type, *parameters = headers.get(b"content-type", b"application/json").lower().split(b";")
    charset = [p.partition(b"=")[2].strip(b' "') for p in parameters if p.strip().startswith(b"charset")]
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if media_type.strip() != b"application/json" or charset not in ([], [b"utf-8"]) or encoding != b"identity":
        raise Refused(Refusal.MEDIA_TYPE)


async def read_body(receive: Receive, max_bytes: int, timeout_seconds: float) -> bytes:
    """The whole body. Raises Refused when it is too large or too slow, ClientLeft when its sender is gone."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _whole(receive, max_bytes)
    except TimeoutError:
        raise Refused(Refusal.BODY_LATE) from None


async def _whole(receive: Receive, max_bytes: int) -> bytes:
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
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def discard_rest(receive: Receive) -> None:
    """Read on for a moment what a refused client still sends.

    Closing with bytes unread resets the connection, and the client would lose the reply that says why.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while (await receive()).get("more_body", False):
                pass
