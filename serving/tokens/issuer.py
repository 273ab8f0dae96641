"""HTTP to the issuer: every answer has a size limit, and no error tells what an address or a token holds."""

from urllib.parse import urlsplit

import aiohttp

from serving.kafka.words import why as network_words

# The first that fits.
_WORDS: dict[type[BaseException], str] = {
    aiohttp.ClientConnectorCertificateError: "not connected: its certificate is not trusted",
    aiohttp.ClientSSLError: "not connected: the certificate is not trusted, or the port does not speak TLS",
    TimeoutError: "no answer in time",
    aiohttp.ServerDisconnectedError: "the connection was closed by the other side",
    aiohttp.ClientError: "the answer is cut short or is no HTTP",
}


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
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        whose = "the proxy: " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
        return f"{whose}not connected: {network_words(error.os_error)}"
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, OSError):
        return network_words(error)
    return str(error) if isinstance(error, ValueError) else "the answer is not what it should be"
