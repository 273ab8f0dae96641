"""Where a load goes: the address is checked, and the ingress asked, before anything is sent to it."""

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
    """What keeps an address from being an ingress's; empty where nothing does."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"--url {url}: its host or port can't be read"
    if parts.scheme not in SCHEMES or not host or any(character.isspace() for character in url):
        return f"--url {url}: an address looks like http://127.0.0.1:8080"
    if parts.query or parts.fragment:
        return f"--url {url}: an ingress's address has no query and no fragment"
    return ""


async def ingress_problem(url: str) -> str:
    """Why nothing should be sent there; empty for an ingress that is ready.

    Where /readyz isn't passed on (a gateway), a route of the API tells that an ingress is behind it.
    """
    try:
        status, body = await _get(f"{url}/readyz")
        if status == HTTPStatus.OK:
            return ""
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return f"the ingress at {url} is not ready{_missing(body)}"
        status, _ = await _get(url + LIMITS)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"the ingress at {url}: {failure(error)}"
    return "" if status == HTTPStatus.OK else f"no ingress answers at {url}: HTTP {status} to GET {LIMITS}"


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
        return "TLS failed: its certificate is not trusted, or it does not speak TLS"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is unknown to DNS"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connection refused" if isinstance(error.os_error, ConnectionRefusedError) else "no connection"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | aiohttp.ClientPayloadError):
        return "connection closed without an answer"
    return "no HTTP answer"


def refusal_words(text: str) -> str:
    """The message in a reply of either API that is no 200; empty where it has none."""
    try:
        told: Any = json.loads(text)
        message = told["error"]["message"] if "error" in told else told["StatusMessage"]
    except (ValueError, KeyError, TypeError):
        return ""
    return message if isinstance(message, str) else ""
