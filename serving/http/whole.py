"""A request's body and its reply, each in one step if it is whole, in place of ASGI's messages.

By ASGI a body and a reply are messages, each of them a coroutine, and the server checks each header of a reply anew.
Nearly every body has arrived when its endpoint asks for it, and every reply here is whole. So this project's server
(protocol.py) offers an app both in one step, by an extension of the scope. Where that is impossible (the body is still
arriving, the connection is to close, the client doesn't read) the app falls back on ASGI's messages.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from serving.headers import RawHeader

DISCARD_SECONDS: Final = 10.0
"""For the rest of a body that is not read: several MB over a bad line."""

SILENT_SECONDS: Final = 1.0
"""Between two parts of it. A client that waits for the reply before it sends a body sends none."""

# ASGI's types. A scope belongs to the server and the router: nothing of this project's apps is stored in it.
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_EXTENSION: Final = "tallymill.whole"


class WholeMessages(Protocol):
    """What the server offers. It serves one request after another, so each call names its request by its scope."""

    def body_of(self, scope: Scope) -> bytes | None:
        """The body, if all of it has arrived and none of it was read before; None otherwise."""
        ...

    def answer(self, scope: Scope, status: int, headers: Sequence[RawHeader], body: bytes) -> bool:
        """Send the whole reply, and keep the connection open. False, and nothing is sent, where that is impossible."""
        ...


def whole_messages(scope: Scope) -> WholeMessages | None:
    """What the server offers for the request of this scope, if it does."""
    extensions = scope.get("extensions")
    return extensions.get(_EXTENSION) if extensions else None


def offering(messages: WholeMessages) -> dict[str, Any]:
    """The extensions of a scope whose server offers whole messages."""
    return {_EXTENSION: messages}


class Body:
    """The body of one request: ASGI's receive, which knows whether the body was read to its end."""

    __slots__ = ("_receive", "_scope", "is_whole", "messages")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self.is_whole = False
        self.messages = whole_messages(scope)

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if not message.get("more_body", False):
            self.is_whole = True
        return message

    def arrived(self) -> bytes | None:
        """The whole body, if it has arrived; otherwise None, and it must be read message by message."""
        body = None if self.messages is None else self.messages.body_of(self._scope)
        self.is_whole = body is not None
        return body


async def send_last(body: bytes, receive: Receive, send: Send) -> None:
    """Send the body of a connection's last reply, and read what its client still sends.

    Closing a connection with unread bytes resets it, and the client may lose the reply. The reply is whole to the
    client at once: the connection ends with an empty part.
    """
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while await _sends_more(receive):
                pass
    await send({"type": "http.response.body", "body": b""})


async def _sends_more(receive: Receive) -> bool:
    """Whether the body goes on after the part that comes next. Raises TimeoutError if none comes in time."""
    async with asyncio.timeout(SILENT_SECONDS):
        return bool((await receive()).get("more_body", False))
