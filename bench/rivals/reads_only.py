"""The least a server can do with a request: read its body, and answer as long as an ingress without totals."""

from typing import Any

ANSWER = b'{"kind":"games#eventUpdateResponse","batchFailures":[],"eventFailures":[],"playerEvents":[]}'
HEADERS = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(ANSWER))]


async def app(_scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 ASGI's own types are dictionaries
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
