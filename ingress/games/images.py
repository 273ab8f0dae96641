"""The default image of events without an own one (G20), served by the ingress itself."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from serving.headers import RawHeader
from serving.http.reply import Reply
from serving.http.request import Request

DEFAULT_IMAGE_PATH: Final = "/static/default-event.png"
_FILE: Final = Path(__file__).parent / "static" / "default-event.png"
_PNG: Final[RawHeader] = (b"content-type", b"image/png")

# A name or an address, perhaps with a port: nothing else of a Host header is repeated in an answer.
_is_host = re.compile(rb"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?\Z").match


class DefaultImage:
    """`GET /static/default-event.png`. It needs no token, because image loaders send none."""

    def __init__(self) -> None:
        self._reply = Reply(200, _FILE.read_bytes(), (_PNG,))

    async def __call__(self, _request: Request) -> Reply:
        return self._reply


def default_image_url(request: Request, public_url: str | None) -> str:
    """Where a client finds it: under the public address, or else under the address that it used itself."""
    return (public_url.rstrip("/") if public_url else _address(request.headers)) + DEFAULT_IMAGE_PATH


def _address(headers: Mapping[bytes, bytes]) -> str:
    """Plain HTTP, because the ingress has no TLS. A deployment behind a TLS proxy sets `public_url`."""
    host = headers.get(b"host", b"")
    return f"http://{host.decode() if _is_host(host) else 'localhost'}"
