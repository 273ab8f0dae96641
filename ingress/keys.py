"""The issuer's public keys (RFC 7517): read in the background, and once more when a token names a key that isn't there.

- The last good set survives an outage of its source: tokens stay good while the issuer's site is down.
- A token that names an unknown key makes one read, for all requests that wait for it; then none for a while, so that
  a stranger who makes up names can't make us hammer the issuer.
- While the source can't be read nobody can say that a key does not exist: Unavailable, never "unknown".
"""

import asyncio
import json
import math
import warnings
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from joserfc.errors import SecurityWarning
from joserfc.jwk import JWKRegistry, Key, KeySet

from ingress.clock import Clock
from ingress.issuer import address, body_of, reason
from ingress.metrics import Metrics
from ingress.ports import Unavailable

log = structlog.get_logger()

# A key set is a few kB; what is larger is not one.
MAX_JWKS_BYTES = 1 << 20
FETCH_TIMEOUT_SECONDS = 5
# Until a first set is there no request can be served, so its source is asked often.
FIRST_RETRY_SECONDS = 1

PUBLIC_KEY_TYPES = ("OKP", "EC", "RSA")


class NoKeys(Exception):
    """The source has not given a usable key set; the message says why."""


async def read_keys(source: str) -> KeySet:
    """The public keys of `source`: a file, an http(s) URL, or the set itself as JSON text. Raises NoKeys."""
    try:
        entries = json.loads(await _text(source))["keys"]
        keys = [key for entry in entries for key in _usable(entry)]
    except (OSError, TimeoutError, aiohttp.ClientError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise NoKeys(f"{label(source)}: {reason(error)}") from error
    if not keys:
        raise NoKeys(f"{label(source)}: holds no public key of type OKP, EC or RSA")
    return KeySet(keys)


def label(source: str) -> str:
    """The source by a name that a log may have."""
    if source.startswith("{"):
        return "tokens.jwks"
    return address(source) if _is_url(source) else source


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


async def _text(source: str) -> str | bytes:
    if source.startswith("{"):
        return source
    return await _fetched(source) if _is_url(source) else await asyncio.to_thread(Path(source).read_bytes)


async def _fetched(url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session, session.get(url) as response:
        return await body_of(response, MAX_JWKS_BYTES)


def _usable(entry: Any) -> tuple[Key, ...]:  # noqa: ANN401 JSON is any
    """The key of one entry, or none: what is not understood is passed over (RFC 7517 section 5), not the whole set."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            key = JWKRegistry.import_key(entry)
            key.ensure_kid()
    except Exception:  # noqa: BLE001 an entry is a stranger's text: whatever it trips in the parser, it is no key
        return ()
    return (key,) if key.key_type in PUBLIC_KEY_TYPES and key.get("use") in (None, "sig") else ()


class IssuerKeys:
    """The newest good set. One read is under way at a time, whoever asks for it."""

    def __init__(self, source: str, cooldown_seconds: float, clock: Clock, metrics: Metrics) -> None:
        self._source = source
        self._cooldown_seconds = cooldown_seconds
        self._clock = clock
        self._metrics = metrics
        self._newest: KeySet | None = None
        self._newest_seconds = math.nan
        self._failed = False
        self._reading: asyncio.Task[None] | None = None
        self._cool_until_seconds = -math.inf
        # Counts the sets that differ from the one before: what was verified with an older one may be withdrawn.
        self.generation = 0

    @property
    def ready(self) -> bool:
        return self._newest is not None

    def age_seconds(self) -> float:
        """Since the newest set was read; NaN before."""
        return self._clock.seconds() - self._newest_seconds

    def named(self, key_id: str | None) -> list[Key]:
        """The keys of this id; all of them for a token that names none. Raises Unavailable without a set."""
        if self._newest is None:
            raise Unavailable("the issuer's keys have not been read yet")
        return [key for key in self._newest.keys if key_id is None or key.kid == key_id]

    async def look_for(self, key_id: str) -> list[Key]:
        """The keys of this id, read anew if need be and allowed. Raises Unavailable if the last read failed."""
        if self._reading is not None:
            await self.read()  # it may have begun before this key was published, so it is not the last word
        if not self.named(key_id) and self._may_look():
            await self.read()
        found = self.named(key_id)
        if not found and self._failed:
            raise Unavailable("the issuer's keys can't be read")
        return found

    def _may_look(self) -> bool:
        """Whether another looks already, to be joined, or none has for long enough; then it is this one's turn."""
        now_seconds = self._clock.seconds()
        if self._reading is None and now_seconds < self._cool_until_seconds:
            return False
        if self._reading is None:
            self._cool_until_seconds = now_seconds + self._cooldown_seconds
        return True

    async def read(self) -> None:
        """Read the source now, or wait for the read that is under way. Whether it succeeded shows in the set."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def keep(self, refresh_seconds: float) -> None:
        """Read now and every `refresh_seconds`; runs until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(refresh_seconds if self.ready else min(FIRST_RETRY_SECONDS, refresh_seconds))

    async def _read(self) -> None:
        try:
            self.use(await read_keys(self._source))
        except NoKeys as error:
            if not self._failed:
                log.warning("keys_not_read", error=str(error), last_good_set_in_use=self.ready)
            self._failed = True
            self._metrics.keys_read(read=False)
        else:
            if self._failed:
                log.info("keys_read_again", source=label(self._source))
            self._failed = False
            self._metrics.keys_read(read=True)
        finally:
            self._reading = None

    def use(self, keys: KeySet) -> None:
        """Verify with `keys` from now on."""
        if self._newest is None or self._newest.as_dict() != keys.as_dict():
            self.generation += 1
            log.info("keys_read", source=label(self._source), ids=[key.kid for key in keys.keys])
        self._newest = keys
        self._newest_seconds = self._clock.seconds()
