"""HTTP to the issuer: every answer has a size limit, and no error tells what an address or a token holds."""

from urllib.parse import urlsplit

import aiohttp

# The most special first. Of a value that is wrong (no JSON, too large) its own words are told.
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, "TLS: its certificate is not accepted"),
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientError, "the connection broke, or the answer is not HTTP"),
    (FileNotFoundError, "no such file"),
    (OSError, "not readable"),
    (RecursionError, "nested too deeply"),
    (KeyError, "not of the form that it should have"),
    (TypeError, "not of the form that it should have"),
)


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
        whose = "the proxy answers " if isinstance(error, aiohttp.ClientHttpProxyError) else ""
        return f"{whose}HTTP {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        whose = "the proxy: " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
        return f"{whose}not connected: {error.os_error.strerror or 'no answer'}"
    return next((words for kind, words in _KINDS if isinstance(error, kind)), str(error))
