"""The ingress that a load is sent to: its URL and its readiness are checked first."""

import json
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from ops.http_words import failure

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
