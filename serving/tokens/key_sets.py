"""Reads sets of public keys (RFC 7517): a file, an http(s) URL or the text itself. Size and time are bounded."""

import asyncio
import json
import warnings
from typing import Any

import aiohttp
from joserfc.errors import SecurityWarning
from joserfc.jwk import JWKRegistry, Key, KeySet

from serving.outgoing.files import BadFile, bytes_of
from serving.outgoing.issuer import address, body_of, reason
from serving.outgoing.proxies import proxy_of

# A key set has a few kB.
MAX_JWKS_BYTES = 1 << 20
FETCH_TIMEOUT_SECONDS = 5
PUBLIC_KEY_TYPES = ("OKP", "EC", "RSA")


class NoKeys(Exception):
    """The source has not given a usable key set; the message says why."""


async def read_keys(source: str) -> KeySet:
    """The public keys of `source`: a file, an http(s) URL, or the set itself as JSON text. Raises NoKeys."""
    try:
        entries = json.loads(await _text(source))["keys"]
        keys = [key for entry in entries for key in _usable(entry)]
    except BadFile as error:
        raise NoKeys(f"tokens.jwks: {error}") from error
    except (OSError, TimeoutError, aiohttp.ClientError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise NoKeys(f"{label(source)}: {reason(error)}") from error
    if not keys:
        raise NoKeys(f"{label(source)}: holds no public key of type OKP, EC or RSA")
    return KeySet(keys)


def label(source: str) -> str:
    """The name of the source for a log."""
    if source.startswith("{"):
        return "tokens.jwks"
    return address(source) if _is_url(source) else source


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


async def _text(source: str) -> str | bytes:
    if source.startswith("{"):
        return source
    if not _is_url(source):
        return await asyncio.to_thread(bytes_of, source, MAX_JWKS_BYTES)
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
        session.get(source, proxy=proxy_of(source)) as response,
    ):
        return await body_of(response, MAX_JWKS_BYTES)


def _usable(entry: Any) -> tuple[Key, ...]:  # noqa: ANN401 JSON is any
    """The key of one entry, or none: an entry that is not understood is skipped (RFC 7517, section 5)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            key = JWKRegistry.import_key(entry)
            key.ensure_kid()
    except Exception:  # noqa: BLE001 an entry is untrusted text: whatever the parser raises, it is not a key
        return ()
    return (key,) if key.key_type in PUBLIC_KEY_TYPES and key.get("use") in (None, "sig") else ()
