"""The issuer's public keys (RFC 7517): read in the background, and also when no key fits a token.

- The last good set stays in use while its source is unavailable.
- A token with an unknown key id, or with a signature that its key did not make (a new key under an old id), causes one
  read for all waiting requests. Then none follows for `jwks_cooldown_seconds`, so that made-up tokens can't flood the
  issuer with reads.
- While the source can't be read, an unknown key may exist: the token is Unchecked, not invalid.
"""

import asyncio
import math
from collections.abc import Sequence

import structlog
from joserfc.jwk import Key, KeySet

from serving.clock import Clock
from serving.tokens.identity import Unchecked
from serving.tokens.key_sets import NoKeys, label, read_keys
from serving.tokens.metrics import TokenMetrics

log = structlog.get_logger()

# Without a first set no token can be checked, so its source is tried often.
FIRST_RETRY_SECONDS = 1


class IssuerKeys:
    """The newest good set. All callers share one read at a time."""

    def __init__(self, source: str, cooldown_seconds: float, clock: Clock, metrics: TokenMetrics) -> None:
        self._source = source
        self._cooldown_seconds = cooldown_seconds
        self._clock = clock
        self._metrics = metrics
        self._newest: KeySet | None = None
        self._newest_seconds = math.nan
        self._failed = False
        self._reading: asyncio.Task[None] | None = None
        self._cool_until_seconds = -math.inf
        # Counts the sets that differ from the one before. A key of an earlier set may have been withdrawn.
        self.generation = 0

    @property
    def ready(self) -> bool:
        return self._newest is not None

    @property
    def is_up(self) -> bool:
        """Whether the last read has succeeded."""
        return self.ready and not self._failed

    def age_seconds(self) -> float:
        """Seconds since the newest set was read; NaN before the first."""
        return self._clock.monotonic_seconds() - self._newest_seconds

    def named(self, key_id: str | None) -> list[Key]:
        """The keys of this id, or all keys if the token names none. Raises Unchecked without a set."""
        if self._newest is None:
            raise Unchecked("the issuer's keys have not been read yet")
        return [key for key in self._newest.keys if key_id is None or key.kid == key_id]

    async def refresh(self, key_id: str, tried: Sequence[Key] = ()) -> list[Key]:
        """The keys of this id except those tried. If there are none, the source is read again, unless it just was.

        Raises Unchecked if the last read failed.
        """
        if self._reading is not None:
            await self.read()  # it may have begun before this key was published, so another may follow
        if not self._untried(key_id, tried) and self._may_refresh():
            await self.read()
        found = self._untried(key_id, tried)
        if not found and self._failed:
            raise Unchecked("the issuer's keys can't be read")
        return found

    def _untried(self, key_id: str, tried: Sequence[Key]) -> list[Key]:
        """Compares objects: a key is the same object as long as the set doesn't change."""
        return [key for key in self.named(key_id) if all(key is not one for one in tried)]

    def _may_refresh(self) -> bool:
        """Whether to join the read under way or start one. Starting one begins the cool-down."""
        now_seconds = self._clock.monotonic_seconds()
        if self._reading is None and now_seconds < self._cool_until_seconds:
            return False
        if self._reading is None:
            self._cool_until_seconds = now_seconds + self._cooldown_seconds
        return True

    async def read(self) -> None:
        """Read the source now, or wait for the read that is under way. Never raises: the old set stays in use."""
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
                log.warning("keys_not_read", reason=str(error), last_good_set_in_use=self.ready)
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
        self._newest_seconds = self._clock.monotonic_seconds()
