"""The issuer's public keys: a file or an http(s) URL, read again in the background. The last good set is kept.

Without the ingress's forced read for a key that isn't there: a reader can ask again.
"""

import asyncio
from collections.abc import Callable

import structlog
from joserfc.jwk import KeySet

from serving.key_sets import NoKeys, label, read_keys

log = structlog.get_logger()

# Until a first set is there nothing can be answered, so its source is asked often.
FIRST_RETRY_SECONDS = 1


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
                log.info("keys_read", source=label(source))
            have = True
        await asyncio.sleep(refresh_seconds if have else min(FIRST_RETRY_SECONDS, refresh_seconds))
