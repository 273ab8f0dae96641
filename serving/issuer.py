"""HTTP to the issuer: every answer has a size limit, and no error tells what an address or a token holds."""

from urllib.parse import urlsplit

import aiohttp


class TooLarge(ValueError):
    """The answer is larger than any good one."""


async def body_of(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The whole body, however it is cut, unpacked. Raises TooLarge as soon as it is."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > max_bytes:
            raise TooLarge(f"larger than {max_bytes} bytes")
    return bytes(body)


def address(url: str) -> str:
    """The URL as a log may have it: without user, password, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def reason(error: BaseException) -> str:
    """Why there is no answer. aiohttp's own words hold the URL, and that may hold a password."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"not connected: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ClientError | TimeoutError):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"
