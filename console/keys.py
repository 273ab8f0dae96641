"""The issuer's public keys: a file or an http(s) URL, read again in the background. The last good set is kept.

As the ingress does it (see auth.py for why it stands here again).
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import aiohttp
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

log = structlog.get_logger()

MAX_JWKS_BYTES = 1 << 20
FETCH_TIMEOUT_SECONDS = 5
# Until a first set is there nothing can be answered, so its source is asked often.
FIRST_RETRY_SECONDS = 1


class NoKeys(Exception):
    """The source has not given a usable key set; the message says why."""


async def read_keys(source: str) -> KeySet:
    """Raises NoKeys."""
    try:
        is_url = source.startswith(("http://", "https://"))
        text = await _fetch(source) if is_url else await asyncio.to_thread(Path(source).read_bytes)
        found = KeySet.import_key_set(json.loads(text))
    except (OSError, TimeoutError, aiohttp.ClientError, JoseError, ValueError, TypeError, KeyError) as error:
        raise NoKeys(f"{source}: {type(error).__name__}: {error}") from error
    # A symmetric key would let whoever reads the set sign, too.
    usable = [key for key in found.keys if key.key_type in ("OKP", "EC", "RSA")]
    if not usable:
        raise NoKeys(f"{source}: holds no public key of type OKP, EC or RSA")
    return KeySet(usable)


async def _fetch(url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session, session.get(url) as response:
        text = await response.content.read(MAX_JWKS_BYTES)
        if not response.content.at_eof():
            raise ValueError(f"larger than {MAX_JWKS_BYTES} bytes")
        return text


async def keep_keys(source: str, refresh_seconds: float, use: Callable[[KeySet], None]) -> None:
    """Give `use` the key set, now and whenever it was read again; runs until cancelled."""
    have = False
    while True:
        try:
            use(await read_keys(source))
        except NoKeys as error:
            log.warning("keys_not_read", error=str(error), last_good_set_in_use=have)
        else:
            if not have:
                log.info("keys_read", source=source)
            have = True
        await asyncio.sleep(refresh_seconds if have else min(FIRST_RETRY_SECONDS, refresh_seconds))
