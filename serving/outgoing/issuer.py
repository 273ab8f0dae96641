"""HTTP to an issuer of tokens. Every answer has a size limit, and no error quotes a token or an address's password."""

import base64
from urllib.parse import quote_plus, urlsplit

import aiohttp

from serving.outgoing.network_words import network_words

# The first class that matches applies.
_WORDS: dict[type[BaseException], str] = {
    aiohttp.ClientConnectorCertificateError: "not connected: its certificate is not trusted",
    aiohttp.ClientSSLError: "not connected: the certificate is not trusted, or the port does not speak TLS",
    TimeoutError: "no answer in time",
    aiohttp.ServerDisconnectedError: "the connection was closed by the other side",
    aiohttp.InvalidURL: "not connected: the URL of the proxy (HTTP_PROXY, HTTPS_PROXY) is wrong",
    aiohttp.ClientError: "the answer is incomplete or not HTTP",
}


class TooLarge(ValueError):
    """The answer is larger than the limit."""


async def body_of(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The whole body, decompressed. Raises TooLarge as soon as it exceeds the limit."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > max_bytes:
            raise TooLarge(f"larger than {max_bytes} bytes")
    return bytes(body)


def address(url: str) -> str:
    """The URL for a log: without user, password, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def basic_authorization(client_id: str, client_secret: str) -> str:
    """client_secret_basic: both are form-encoded before they are joined (RFC 6749, section 2.3.1)."""
    joined = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(joined.encode()).decode()


def reason(error: BaseException) -> str:
    """Why there is no answer. The messages of aiohttp contain the URL, which may contain a password."""
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
    return str(error) if isinstance(error, ValueError) else "the answer is not as expected"
