"""What a request to the ingress came to, in plain words: without an answer, or with an error in its body."""

import json
from typing import Any

import aiohttp


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
