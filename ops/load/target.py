"""The ingress that a load is sent to: its URL and its readiness are checked first."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp

SCHEMES = ("http", "https")

# The first answer of an ingress that has just started takes a moment; one that takes longer is not worth a load.
ANSWER_SECONDS = 5

LIMITS = "/v1/limits"


def wrong_address(url: str) -> str:
    """Why a URL can't be that of an ingress; empty if it can."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"--url {url}: the host or port is invalid"
    if parts.scheme not in SCHEMES or not host or any(character.isspace() for character in url):
        return f"--url {url}: must be a URL such as http://127.0.0.1:8080"
    if parts.query or parts.fragment:
        return f"--url {url}: must not have a query or fragment"
    return ""


async def ingress_problem(url: str) -> str:
    """Why no load can be sent there; empty if an ingress is ready.

    A gateway may not forward /readyz; then a route of the API shows that an ingress is behind it.
    """
    try:
        status, body = await _get(f"{url}/readyz")
        if status == HTTPStatus.OK:
            return ""
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return f"The ingress at {url} is not ready{_missing(body)}"
        status, _ = await _get(url + LIMITS)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"The ingress at {url} is unavailable: {failure(error)}"
    return "" if status == HTTPStatus.OK else f"No ingress answers at {url}: GET {LIMITS} returned HTTP {status}"


def _missing(body: bytes) -> str:
    try:
        return f": missing: {', '.join(json.loads(body)['missing'])}"
    except (ValueError, KeyError, TypeError):
        return ""


async def _get(url: str) -> tuple[int, bytes]:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, allow_redirects=False) as reply:
        return reply.status, await reply.read()


def failure(error: Exception) -> str:
    """Why a request had no answer, in plain words."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS failed: the certificate is not trusted, or the port does not use TLS"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "DNS does not know the host name"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connection refused" if isinstance(error.os_error, ConnectionRefusedError) else "no connection"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | aiohttp.ClientPayloadError):
        return "connection closed without an answer"
    return "no HTTP answer"


def refusal_words(text: str) -> str:
    """The message in an error reply of either API; empty if it has none."""
    try:
        body: Any = json.loads(text)
        message = body["error"]["message"] if "error" in body else body["StatusMessage"]
    except (ValueError, KeyError, TypeError):
        return ""
    return message if isinstance(message, str) else ""
